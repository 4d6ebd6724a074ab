package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/zk/session/internal/hosts"
	gozk "github.com/go-zookeeper/zk"
)

// maxOwned is how many of its own sessions a Session remembers: those whose nodes may still be
// there.
const maxOwned = 100

// A Session is one ZooKeeper session at a time, and the next one after it has ended. Its methods
// may be called concurrently.
type Session struct {
	config   Config
	resolver *hosts.Resolver         // shared by both handles
	limiter  *hosts.Limiter          // shared by both handles
	events   func(*Conn, gozk.Event) // set by Start
	dials    atomic.Int64
	wake     signal // a handle has changed
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{} // closed when run has ended, or never begins

	// For run's goroutine, and at its end for the one that closes the probe.
	probe   *handle
	hurried *Conn // of the probe, after which the current handle dials

	mu         sync.Mutex
	started    bool
	current    *handle       // nil before Start
	published  *Conn         // what callers get; nil while there is none
	changed    chan struct{} // closed and replaced when published changes
	ownedIDs   []int64       // the newest last
	generation int64
	unwanted   *Conn // its session is to be ended, see Renew
	confirmed  bool  // a server confirmed the end of the session
	missing    map[ability]int
	lastLong   int64 // bytes of the last list that was too long
}

// New returns a Session that is not begun. It does no I/O; the error is that of c.Validate.
func New(c Config) (*Session, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	c = c.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	return &Session{
		config:   c,
		resolver: hosts.NewResolver(ctx, c.Hosts, c.Lookup),
		limiter:  hosts.NewLimiter(len(c.Hosts)),
		wake:     newSignal(),
		ctx:      ctx,
		cancel:   cancel,
		done:     make(chan struct{}),
		changed:  make(chan struct{}),
		missing:  map[ability]int{},
	}, nil
}

// Start connects in the background, and goes on until Close. Events is called with every event of a
// watch, in the order in which they came; it must not block, nor use the Conn. Nil is none. Start
// is called once.
func (s *Session) Start(events func(*Conn, gozk.Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.ctx.Err() != nil {
		return
	}
	if events == nil {
		events = func(*Conn, gozk.Event) {}
	}
	s.started, s.events = true, events
	s.current = newHandle(s)
	go s.run()
}

// Close ends the session, and with it every node of it, if a server can be reached, and reports
// whether that server confirmed it: otherwise the session ends by its timeout. It waits a second at
// most for a server that does not answer, and is over when every goroutine of s has ended.
func (s *Session) Close() (confirmed bool) {
	s.cancel()
	s.mu.Lock()
	if !s.started {
		s.started = true
		close(s.done)
	}
	s.mu.Unlock()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confirmed
}

// run follows the handles until Close. A handshake or a dial that fails wakes it, too: after each
// go-zookeeper has an event, StateDisconnected, or StateConnecting before the next dial.
func (s *Session) run() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for s.ctx.Err() == nil {
		timer.Reset(s.step())
		select {
		case <-s.ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
	var closing sync.WaitGroup // each may wait a second for a server
	closing.Go(s.dropProbe)
	confirmed := s.current.close()
	closing.Wait()
	s.resolver.Wait()
	s.publish(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.confirmed = confirmed
}

// step does what is due, and returns when to look again if nothing happens. The states are those of
// the table in the package comment.
func (s *Session) step() time.Duration {
	now := s.current.status()
	if now.up != nil && s.isUnwanted(now.up) {
		s.restart()
		return 0
	}
	s.publish(now.up)
	switch {
	case now.up != nil: // connected
		s.dropProbe()
		return time.Hour
	case s.probe == nil: // waiting
		return s.beginProbe(now)
	default: // probing
		return s.judgeProbe(now.timeout)
	}
}

// beginProbe begins a probe when the outage has lasted for a third of the session timeout and a
// server has refused the current handle meanwhile, or for three timeouts.
func (s *Session) beginProbe(now status) time.Duration {
	outage := time.Since(now.lost)
	if outage < now.timeout/3 {
		return now.timeout/3 - outage
	}
	if now.refused.After(now.lost) || outage > 3*now.timeout {
		s.probe = newHandle(s)
	}
	return now.timeout
}

// judgeProbe adopts the probe if it has a session and the current handle can have none.
func (s *Session) judgeProbe(timeout time.Duration) time.Duration {
	probed := s.probe.status().up
	if probed == nil {
		return timeout
	}
	refused := s.current.refusedBy(probed.Server).After(probed.since)
	if expired := time.Since(probed.since) > timeout; refused || expired {
		s.adopt(probed)
		return 0
	}
	if s.hurried != probed {
		s.hurried = probed
		s.current.retry(probed.Server)
	}
	return timeout
}

// adopt replaces the current handle by the probe, which has up.
func (s *Session) adopt(up *Conn) {
	s.mu.Lock()
	old := s.current
	s.current, s.probe, s.hurried = s.probe, nil, nil
	s.generation++
	s.mu.Unlock()
	s.publish(up)
	old.mu.Lock()
	old.noteExpiryLocked()
	old.mu.Unlock()
	old.close()
}

// restart replaces the current handle by a new one.
func (s *Session) restart() {
	s.publish(nil)
	s.current.close()
	next := newHandle(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.unwanted = next, nil
}

func (s *Session) isUnwanted(up *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unwanted == up
}

func (s *Session) dropProbe() {
	if s.probe != nil {
		s.probe.close()
		s.probe, s.hurried = nil, nil
	}
}

// publish makes up the Conn that callers get.
func (s *Session) publish(up *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up == s.published {
		return
	}
	s.published = up
	if up != nil && !slices.Contains(s.ownedIDs, up.Session) {
		s.ownedIDs = append(s.ownedIDs, up.Session)
		s.ownedIDs = s.ownedIDs[max(0, len(s.ownedIDs)-maxOwned):]
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// A signal wakes one goroutine. Setting it twice is setting it once. It is package signal's, once
// more, because this package imports no other one of the module.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

// set does not block.
func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}
