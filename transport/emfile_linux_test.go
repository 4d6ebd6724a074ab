package transport_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limitDescriptors sets both limits of a running process.
func limitDescriptors(t *testing.T, pid, n int) {
	t.Helper()
	limit := unix.Rlimit{Cur: uint64(n), Max: uint64(n)}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

// cpuTime is the time that a process has used so far, in the kernel's unit of 10 ms.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // a name may hold spaces
	fields := strings.Fields(rest)
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if errUser != nil || errSystem != nil {
		t.Fatalf("want times in %q", stat)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// A server without file descriptors waits, at next to no cost, and recovers when it gets some back.
func TestNoDescriptorsLeft(t *testing.T) {
	const limit, clients, starve = 40, 100, 2 * time.Second
	pid, addr, stop := startChild(t, childIdle)
	limitDescriptors(t, pid, limit)
	var conns []net.Conn
	for range clients { // those without a descriptor wait in the kernel's queue
		conns = append(conns, dial(t, addr))
	}
	one := make([]byte, 1)
	conns[0].Read(one)
	latecomer := conns[clients-1]
	latecomer.SetReadDeadline(time.Now().Add(starve))
	before := cpuTime(t, pid)
	if _, err := latecomer.Read(one); err == nil {
		t.Fatalf("want a server with %d descriptors to be short of them", limit)
	}
	used := cpuTime(t, pid) - before
	t.Logf("CPU while starved: %.1f %%", 100*float64(used)/float64(starve))
	if used > starve/20 {
		t.Errorf("want less than 5 %% CPU, have %v in %v", used, starve)
	}

	for _, conn := range conns {
		conn.Close()
	}
	if have, err := ask(addr, "timestamp"); !strings.HasPrefix(have, addr+": ") || err != nil {
		t.Errorf("want an answer once there is room, have %q, %v", have, err)
	}
	if log := stop(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "too many open files") {
		t.Errorf("want one line about it, have %q", log)
	}
}

// A server that has fewer descriptors than connections refuses those for which it has none, at
// once.
func TestRefusedWhereDescriptorsEnd(t *testing.T) {
	const limit, clients = 128, 300
	_, addr, stop := startChild(t, childIdle,
		"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, limit))
	begin := time.Now()
	var answered, refused int
	for range clients {
		conn := dial(t, addr)
		if n, err := conn.Read(make([]byte, 512)); n > 0 {
			answered++ // and stays
		} else if err == io.EOF {
			refused++
			conn.Close()
		} else {
			t.Fatalf("want an answer or an end, have %v", err)
		}
	}
	if took := time.Since(begin); took > bound/2 {
		t.Errorf("want no client to wait, have %v for %d", took, clients)
	}
	if answered == 0 || answered >= limit || refused == 0 {
		t.Errorf("want some answered and the others refused, have %d and %d", answered, refused)
	}
	log := stop()
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "too many connections: 1 turned away") {
		t.Errorf("want one line about the limit, have %q", log)
	}
}
