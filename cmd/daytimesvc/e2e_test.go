package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// The programs as processes, on a real ZooKeeper. One build and one ZooKeeper serve all; each part
// has a directory of its own.
func TestProcesses(t *testing.T) {
	zookeeper := zktest.Start(t)
	dir := shelltest.Build(t)
	url := func(path string) string {
		return fmt.Sprintf("zk://%s/%s?session-timeout=3s", zookeeper.Addr(), path)
	}
	t.Run("side by side", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T, dir, url string){
			"faults": testFaults, "rolling": testRollingRestart, "signals": testSignals, "twice": testSignalTwice,
			"pipe": testClosedPipe, "stalled": testStalledLog,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, dir, url(name))
			})
		}
	})
	t.Run("ZooKeeper down", func(t *testing.T) { testZooKeeperDown(t, dir, url("down"), zookeeper) })
}

// launchServer starts a server and waits for its registration.
func launchServer(t testing.TB, dir, url, addr string) *shelltest.Process {
	t.Helper()
	p := shelltest.Launch(t, dir, "daytimesvc", "--sd", url, "--listen", addr, "--drain", "300ms")
	p.Stderr.Await(t, "msg=registered", 1)
	return p
}

// launchClient starts a client and waits until it has heard of every server.
func launchClient(t testing.TB, dir, url, interval string, servers ...string) *shelltest.Process {
	t.Helper()
	p := shelltest.Launch(t, dir, "daytimecli", "--sd", url, "-n", "0", "-i", interval)
	for _, server := range servers {
		p.Stdout.Await(t, server+": ", 1)
	}
	return p
}

// more waits for n further replies to p.
func more(t testing.TB, p *shelltest.Process, n int) {
	t.Helper()
	p.Stdout.Await(t, "\n", strings.Count(p.Stdout.String(), "\n")+n)
}

// One server is killed, one is killed and restarted at once, one is stopped: no request fails.
func testFaults(t *testing.T, dir, url string) {
	addrs := transporttest.FreeAddresses(t, 3)
	killed, restarted, stopped := addrs[0], addrs[1], addrs[2]
	first := launchServer(t, dir, url, killed)
	second := launchServer(t, dir, url, restarted)
	third := launchServer(t, dir, url, stopped)
	listed(t, dir, url, killed, restarted, stopped)
	client := launchClient(t, dir, url, "50ms", killed, restarted, stopped)

	first.SignalAndExit(t, syscall.SIGKILL, -1)
	more(t, client, 5)
	second.SignalAndExit(t, syscall.SIGKILL, -1)
	begin := time.Now()
	launchServer(t, dir, url, restarted)
	if have := time.Since(begin); have > 2*time.Second {
		t.Errorf("want the predecessor's node taken over at once, have %v", have)
	}
	more(t, client, 5)
	third.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
	more(t, client, 5)
	listed(t, dir, url, restarted) // when the session of the first has expired
	more(t, client, 5)
	listed(t, dir, url, restarted)

	client.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
	shelltest.WantText(t, client.Stderr.String(), " answered, 0 failed")
}

// Every server is stopped and started again: no request fails, and no attempt.
func testRollingRestart(t *testing.T, dir, url string) {
	addrs := transporttest.FreeAddresses(t, 3)
	servers := map[string]*shelltest.Process{}
	for _, addr := range addrs {
		servers[addr] = launchServer(t, dir, url, addr)
	}
	client := launchClient(t, dir, url, "2ms", addrs...)
	for _, addr := range addrs {
		servers[addr].SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
		servers[addr] = launchServer(t, dir, url, addr)
		more(t, client, 50)
	}
	listed(t, dir, url, addrs...)
	client.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
	summary := client.Stderr.String()
	shelltest.WantText(t, summary, " answered, 0 failed")
	for _, addr := range addrs {
		for line := range strings.Lines(summary) {
			if fields := strings.Fields(line); fields[0] == addr && (fields[3] != "0" || fields[4] != "0") {
				t.Errorf("want no failed attempt, have %s", line)
			}
		}
	}
}

// The first signal begins the shutdown, the second ends it.
func testSignals(t *testing.T, dir, url string) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := shelltest.Launch(t, dir, "daytimesvc", "--sd", url, "--listen", "127.0.0.1:0", "--drain", "1m")
		p.Stderr.Await(t, "msg=registered", 1)
		p.Signal(t, s)
		p.Stderr.Await(t, fmt.Sprintf(`msg="shutting down" reason="signal %v"`, s), 1)
		p.Stderr.Await(t, "msg=withdrawn", 1)
		time.Sleep(200 * time.Millisecond) // a moment later, as a person would
		p.SignalAndExit(t, syscall.SIGTERM, shell.ExitAborted)
		p.Stderr.Await(t, "ended at once", 1)
	}
	listed(t, dir, url)
}

// timeout(1) signals a program twice within microseconds, which is one signal. A closed terminal
// ends it in order, too.
func testSignalTwice(t *testing.T, dir, url string) {
	for _, signals := range [][2]syscall.Signal{{syscall.SIGTERM, syscall.SIGINT}, {syscall.SIGHUP, syscall.SIGTERM}} {
		p := shelltest.Launch(t, dir, "daytimesvc", "--sd", url, "--listen", "127.0.0.1:0", "--drain", "200ms")
		p.Stderr.Await(t, "msg=registered", 1)
		p.Signal(t, signals[0])
		p.SignalAndExit(t, signals[1], shell.ExitOK)
	}
	listed(t, dir, url)
}

// A client whose reader is gone ends by itself, and says nothing; a server goes on without its log.
func testClosedPipe(t *testing.T, dir, url string) {
	addr := transporttest.FreeAddress(t)
	server := launchServer(t, dir, url, addr)
	script := fmt.Sprintf("'%s/daytimecli' --sd '%s' -n 0 -i 5ms | head -n 2", dir, url)
	pipeline := shelltest.LaunchCommand(t, exec.Command("sh", "-c", script))
	if have := pipeline.Exit(t); have != shell.ExitOK || pipeline.Stderr.String() != "" || strings.Count(pipeline.Stdout.String(), "\n") != 2 {
		t.Errorf("want two lines and a quiet end, have %d, %q, %q", have, pipeline.Stdout, pipeline.Stderr)
	}
	server.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)

	script = fmt.Sprintf("'%s/daytimesvc' --sd '%s' --listen %s --drain 0s 2>&1 | head -n 1", dir, url, addr)
	shelltest.LaunchCommand(t, exec.Command("sh", "-c", script)).Stdout.Await(t, "msg=serving", 1)
	listed(t, dir, url, addr)
}

// Servers start without ZooKeeper, and register when it is there.
func testZooKeeperDown(t *testing.T, dir, url string, zookeeper *zktest.Server) {
	zookeeper.Kill(t)
	addr := transporttest.FreeAddress(t)
	server := shelltest.Launch(t, dir, "daytimesvc", "--sd", url, "--listen", addr, "--drain", "0s")
	server.Stderr.Await(t, `msg="not registered" err=`, 1)
	direct := shelltest.Launch(t, dir, "daytimecli", "--sd", "fixed://"+addr, "-n", "1")
	if have := direct.Exit(t); have != shell.ExitOK {
		t.Errorf("want an answer without ZooKeeper, have %d; stderr\n%s", have, direct.Stderr)
	}
	list := shelltest.Launch(t, dir, "daytimecli", "list", "--sd", url)
	if have := list.Exit(t); have != shell.ExitFailure {
		t.Errorf("want exit code %d without ZooKeeper, have %d; stdout\n%s", shell.ExitFailure, have, list.Stdout)
	}
	zookeeper.Restart(t)
	server.Stderr.Await(t, "msg=registered", 1)
	listed(t, dir, url, addr)
	server.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
	listed(t, dir, url)
}

// With a log that nobody reads, from the start or from later on, the program registers, serves,
// withdraws, and ends by itself.
func testStalledLog(t *testing.T, dir, url string) {
	for _, stalledAtStart := range []bool{true, false} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer write.Close()
		defer read.Close()
		if stalledAtStart {
			shelltest.FillPipe(t, int(write.Fd()))
		}
		addr := transporttest.FreeAddress(t)
		cmd := exec.Command(filepath.Join(dir, "daytimesvc"), "--sd", url, "--listen", addr, "--drain", "0s")
		cmd.Stderr = write
		p := shelltest.LaunchCommand(t, cmd)
		listed(t, dir, url, addr)
		if !stalledAtStart {
			shelltest.FillPipe(t, int(write.Fd()))
		}
		if _, err := shelltest.Ask(t.Context(), addr); err != nil {
			t.Errorf("stalled at the start: %v: want an answer, have %v", stalledAtStart, err)
		}
		p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
		listed(t, dir, url)
	}
}
