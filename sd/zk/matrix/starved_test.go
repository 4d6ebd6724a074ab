package matrix

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// starvedRows are F33 and F39: processes without descriptors, and without time.
func starvedRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "starved", plan{processes: true})
	if prlimit, err := exec.LookPath("prlimit"); err == nil {
		f.row("F33", "one server has no descriptor left, for 5 s", func(r *row) {
			pid := r.children[0].cmd.Process.Pid
			limit := func(n int) {
				out, err := exec.Command(prlimit, "--pid", strconv.Itoa(pid),
					fmt.Sprintf("--nofile=%d:4096", n)).CombinedOutput()
				if err != nil {
					r.Fatalf("prlimit: %v: %s", err, out)
				}
			}
			limit(3) // those that are open stay open
			begun := cpuTime(r, pid)
			hold(5 * time.Second)
			r.note("%v of CPU time", short(cpuTime(r, pid)-begun))
			r.atMost("CPU time", cpuTime(r, pid)-begun, 500*time.Millisecond)
			limit(4096)
			r.converged = r.agree(removal, r.instances()...)
		})
	}
	f.row("F39", "all servers get 5 % of the time, for 10 s", func(r *row) {
		var starving sync.WaitGroup
		for _, c := range r.children {
			starving.Go(func() {
				for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
					c.cmd.Process.Signal(syscall.SIGSTOP)
					hold(95 * time.Millisecond)
					c.cmd.Process.Signal(syscall.SIGCONT)
					hold(5 * time.Millisecond)
				}
			})
		}
		starving.Wait()
		r.converged = r.agree(removal+back, r.instances()...)
	})
}

// cpuTime is what a process has used so far.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	if err := errors.Join(userErr, systemErr); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of a hundredth of a second
}

// slowDiskRow is F31: each fsync takes 2 s.
func slowDiskRow(t *testing.T, report *report) {
	strace, err := exec.LookPath("strace")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs strace and root")
	}
	slow := zktest.Config("forceSync=yes", "syncLimit=40")
	r := newRigOn(t, zktest.StartEnsemble(t, 3, slow), report)
	r.connect(t)
	f := newFleet(t, r, "slow", plan{timeout: 6 * time.Second}) // a new session waits for two commits
	f.row("F31", "each fsync of ZooKeeper takes 2 s, for 10 s", func(r *row) {
		var slow []*exec.Cmd
		for _, member := range r.Servers() {
			cmd := exec.Command(strace, "-f", "-q", "-o", "/dev/null", "-p", strconv.Itoa(member.PID()),
				"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=2000000")
			if err := cmd.Start(); err != nil {
				r.Fatal(err)
			}
			slow = append(slow, cmd)
		}
		hold(time.Second) // strace is attached
		begun := time.Now()
		r.serve(transporttest.FreeAddress(r))
		r.note("a registration takes %v", short(r.agree(20*time.Second, r.instances()...)))
		hold(time.Until(begun.Add(paceTime)))
		for _, cmd := range slow {
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
		r.noExpiry()
	})
}

// fullDiskRow is F32: ZooKeeper's disks are full, so that it ends.
func fullDiskRow(t *testing.T, report *report) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	r := newRigOn(t, zktest.StartEnsemble(t, 3), report)
	r.Wipe(t)
	for _, s := range r.Servers() {
		smallDisk(t, s)
	}
	for _, s := range r.Servers() {
		s.Launch(t)
	}
	r.Await(t)
	r.connect(t)
	f := newFleet(t, r, "full", plan{})
	f.row("F32", "all of ZooKeeper's disks full, for 5 s", func(r *row) {
		ballast := func(s *zktest.Server) string { return filepath.Join(s.DataDir(), "ballast") }
		for _, s := range r.Servers() {
			os.WriteFile(ballast(s), make([]byte, 8<<20), 0o600) // as much as there is room for
		}
		ended := func() (n int) {
			for _, s := range r.Servers() {
				if s.PID() == 0 {
					n++
				}
			}
			return n
		}
		for end := time.Now().Add(5 * time.Second); ended() < 2 && time.Now().Before(end); {
			r.admin.Create("/filler", make([]byte, 100_000), gozk.FlagSequence, gozk.WorldACL(gozk.PermAll))
		}
		r.note("%d of 3 ZooKeepers ended", ended())
		hold(5 * time.Second)
		r.Kill(r)
		for _, s := range r.Servers() {
			os.Remove(ballast(s))
		}
		r.launch()
		r.connect(r)
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// smallDisk gives a server that is down a disk of 8 MB.
func smallDisk(t *testing.T, s *zktest.Server) {
	t.Helper()
	myid, err := os.ReadFile(filepath.Join(s.DataDir(), "myid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", s.DataDir(), "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		s.Kill(t)
		syscall.Unmount(s.DataDir(), 0)
	})
	if err := os.WriteFile(filepath.Join(s.DataDir(), "myid"), myid, 0o600); err != nil {
		t.Fatal(err)
	}
}
