package zktest

import (
	"errors"
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
// has ended; kill and terminate await that.
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
// signal is tied to the thread that forks, not to the process, and Go ends threads as it pleases
// (go.dev/issue/27505).
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

func (p *process) signal(sig syscall.Signal) error {
	return p.cmd.Process.Signal(sig)
}

// kill ends the child, running or stopped, and returns once it is reaped.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// terminate asks the child to end, and kills it when it has not within the bound.
func (p *process) terminate(bound time.Duration) error {
	// a stopped child would not hear the first
	err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT))
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(bound):
		return p.kill()
	}
}

// freeze stops the child and returns once every thread of it stands still: the signal alone is only
// a request, and an answer written after it would surprise the test.
func (p *process) freeze(bound time.Duration) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return poll(bound, time.Millisecond, func() error {
		if !stopped(p.pid()) {
			return errors.New("still running after SIGSTOP")
		}
		return nil
	})
}

func (p *process) thaw() error { return p.signal(syscall.SIGCONT) }

// stopped reads /proc. Where there is none it finds no thread, and takes the signal's word.
func stopped(pid int) bool {
	stats, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
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
func poll(bound, interval time.Duration, check func() error) error {
	ticker := time.NewTicker(interval)
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
