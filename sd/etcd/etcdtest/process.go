package etcdtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is one run of a child. Its one goroutine, keep, is owned by it and ends when the child
// has ended; kill awaits that.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the child is reaped
}

// launch starts cmd with its output appended to the file logPath.
func launch(cmd *exec.Cmd, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, dieWithParent()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.keep(started)
	return p, <-started
}

// keep starts and reaps the child on a thread that runs nothing else meanwhile: the parent-death
// signal is tied to the thread that forks, not to the process (go.dev/issue/27505).
func (p *process) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // the exit status of a killed child says nothing
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the child, running or stopped, and returns once it is reaped.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// freeze stops the child and returns once every thread of it stands still.
func (p *process) freeze() error {
	if err := p.cmd.Process.Signal(sigStop); err != nil {
		return err
	}
	return poll(stopBound, func() error {
		if !stopped(p.pid()) {
			return errors.New("still running after SIGSTOP")
		}
		return nil
	})
}

func (p *process) thaw() error { return p.cmd.Process.Signal(sigCont) }

// stopped reads /proc. Where there is none it finds no thread, and takes the signal's word.
func stopped(pid int) bool {
	stats, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		_, state, _ := strings.Cut(string(text), ") ") // pid (name) state …
		if !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// poll calls check until it returns nil, and returns its last error when that has not happened
// within the bound.
func poll(bound time.Duration, check func() error) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(bound)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-ticker.C
	}
}

// freePorts returns n different loopback ports that were free a moment ago. They are below the
// ephemeral range, so that no outgoing connection is lent one while its member is down.
func freePorts(n int) (ports []int, err error) {
	const first, last = 10000, 32000
	for tries := 0; len(ports) < n; tries++ {
		var ln net.Listener
		port := first + rand.IntN(last-first)
		if ln, err = net.Listen("tcp", loopback(port)); err != nil {
			if tries > 100*n {
				return nil, fmt.Errorf("no free port: %w", err)
			}
			continue
		}
		defer ln.Close() // at the return, so that no port comes twice
		ports = append(ports, port)
	}
	return ports, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// sigterm is what an init system sends.
const sigterm = syscall.SIGTERM
