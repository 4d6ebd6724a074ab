package matrix

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// exitTimeout is how long a server may take to end after SIGTERM: it withdraws, serves on for a
// moment, and ends what was begun.
const exitTimeout = 2*time.Second + drainTime + 5*time.Second

// startTime is how long a process may take until it knows what SIGTERM means.
const startTime = 3 * time.Second

// A soaked server is one of the processes of a soak. Its goroutine, run, carries out its steps one
// after the other, so that nobody waits for a process to end.
type soakedServer struct {
	instance string
	version  string
	target   string
	output   *buffer // of all its lives
	todo     chan step
	done     chan struct{}

	mu      sync.Mutex
	child   *child // nil: it is down
	pending int    // steps
	err     error  // the first step that went wrong
}

func newSoakedServer(target, instance, version string) *soakedServer {
	s := &soakedServer{
		instance: instance, version: version, target: target, output: &buffer{limit: 64 << 10},
		todo: make(chan step, 64), done: make(chan struct{}),
	}
	go s.run()
	return s
}

// order has a step carried out.
func (s *soakedServer) order(what step) {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
	s.todo <- what
}

func (s *soakedServer) run() {
	defer close(s.done)
	for what := range s.todo {
		err := s.carryOut(what)
		s.mu.Lock()
		s.pending--
		if s.err == nil && err != nil {
			s.err = fmt.Errorf("%s: %v: %w", s.instance, what, err)
		}
		s.mu.Unlock()
	}
}

func (s *soakedServer) carryOut(what step) error {
	s.mu.Lock()
	c := s.child
	s.mu.Unlock()
	if c == nil && what.verb != "start" { // it could not be started, which was told
		return errors.New("it does not run")
	}
	switch what.verb {
	case "start":
		started, err := launchChild(s.output, roleServer, s.target, s.instance,
			versionVariable+"="+s.version)
		s.set(started)
		return err
	case "kill":
		s.set(nil)
		c.kill()
		return nil
	case "stop":
		return c.cmd.Process.Signal(syscall.SIGSTOP)
	case "continue":
		return c.cmd.Process.Signal(syscall.SIGCONT)
	default:
		s.set(nil)
		return c.end()
	}
}

func (s *soakedServer) set(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = c
}

// end is SIGTERM, and wants the process to end well.
func (c *child) end() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(exitTimeout)
	defer timer.Stop()
	select {
	case <-c.ended:
		if time.Since(c.started) < startTime {
			return nil // it may not have listened for the signal yet
		}
		return c.err
	case <-timer.C:
		c.kill()
		return fmt.Errorf("has not ended %v after SIGTERM", exitTimeout)
	}
}

// state returns the process, nil while the server is down, once all steps are carried out, and what
// went wrong.
func (s *soakedServer) state() (c *child, busy bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child, s.pending > 0, s.err
}

// settled waits for the steps that are under way.
func (s *soakedServer) settled() (*child, error) {
	_, err := wait.Until(2*exitTimeout, func() error {
		if _, busy, err := s.state(); busy && err == nil {
			return fmt.Errorf("%s: a step is under way", s.instance)
		}
		return nil
	})
	c, _, failed := s.state()
	return c, errors.Join(failed, err)
}

// close ends the process and the goroutine.
func (s *soakedServer) close() {
	close(s.todo)
	<-s.done
	if s.child != nil {
		s.child.kill()
	}
}
