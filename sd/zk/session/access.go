package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/daytime/sd/zk/session/internal/wire"
)

// waitTimeout is how long Wait waits for a Conn before it says that there is none.
const waitTimeout = time.Second

// Conn returns the Conn, nil while there is none, and a channel that is closed at its next change.
// It may be down by now. A session that is lost and regained is another Conn.
func (s *Session) Conn() (c *Conn, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published, s.changed
}

// Wait returns the Conn as soon as there is one that is up. It gives up after a second, with Err;
// when ctx is done, with ctx's error joined to Err; and when Close begins, with ErrClosed.
func (s *Session) Wait(ctx context.Context) (*Conn, error) {
	timer := time.NewTimer(waitTimeout)
	defer timer.Stop()
	for {
		c, changed := s.Conn()
		if c != nil && c.Err() == nil {
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), s.noSession())
		case <-s.ctx.Done():
			return nil, ErrClosed
		case <-timer.C:
			return nil, s.noSession()
		}
	}
}

// Err returns nil while there is a Conn, and otherwise why there is none, as far as is known at
// this moment: the last failure, or what is waited for. It does not block. The error matches
// ErrNoSession, and ErrDenied if that is the cause.
func (s *Session) Err() error {
	if c, _ := s.Conn(); c != nil {
		return nil
	}
	return s.noSession()
}

// noSession says why there is no session.
func (s *Session) noSession() error {
	if current := s.currentHandle(); current != nil {
		return current.reason()
	}
	return fmt.Errorf("%w: not started", ErrNoSession)
}

func (s *Session) currentHandle() *handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Owned reports whether the session id is, or was, this one's: one of the last 100. It is false for
// 0, the owner of a permanent node.
func (s *Session) Owned(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return id != 0 && slices.Contains(s.ownedIDs, id)
}

// Renew has the session of c ended, and with it its nodes, and another begun, if c is still up.
// Otherwise nothing happens: ask again on the next Conn. It does not wait.
func (s *Session) Renew(c *Conn) {
	s.mu.Lock()
	s.unwanted = c
	s.mu.Unlock()
	s.wake.set()
}

// Generation counts how often a probe took the place of the session. From one generation to the
// next ZooKeeper's data may have gone back, and its zxids with it.
func (s *Session) Generation() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Timeout is the session timeout: as negotiated, or as asked for before that.
func (s *Session) Timeout() time.Duration {
	if current := s.currentHandle(); current != nil {
		return current.status().timeout
	}
	return s.config.Timeout
}

// Done is closed when Close has begun.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Closed is closed when Close is over.
func (s *Session) Closed() <-chan struct{} { return s.done }

// Stats is what a Session has seen, for an operator.
type Stats struct {
	Session    int64         // 0 while there is none
	Server     string        // that holds the session
	Timeout    time.Duration // as negotiated, or as asked for
	Dials      int64         // connections tried
	Generation int64         // how often a probe took the place of the session
}

// Stats returns what has happened since Start.
func (s *Session) Stats() Stats {
	stats := Stats{Timeout: s.Timeout(), Dials: s.dials.Load(), Generation: s.Generation()}
	if c, _ := s.Conn(); c != nil {
		stats.Session, stats.Server = c.Session, c.Server
	}
	return stats
}

// longList returns the error for a list of so many bytes. A single such length may be a wrong one,
// after which the next Conn is well; one that comes again is believed.
func (s *Session) longList(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.lastLong
	s.lastLong = size
	if last < size*3/4 || last > size*5/4 {
		return fmt.Errorf("%w of %d bytes: want %d at most", ErrBadFrame, size, wire.MaxFrame)
	}
	return wire.TooLong(size)
}
