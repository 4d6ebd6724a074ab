package transport

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// noticeInterval is the time between two reports of one kind.
const noticeInterval = time.Minute

// A notice counts something that may happen with every connection, so that a report of each would
// flood a log. The first is told at once, the others once in noticeInterval.
//
//	state     add                       noticeInterval passes     close
//	quiet     tell it, be loud          -                         -
//	loud, 0   count it                  be quiet                  be quiet
//	loud, n   count it                  tell n, be loud, 0        tell n, be quiet
type notice struct {
	tell func(n int, last event) // must not block

	mu    sync.Mutex // guards what follows
	n     int
	last  event
	timer *time.Timer // nil while quiet
}

// An event is one connection that a notice counts.
type event struct {
	from net.Addr // of the client, if there is one
	err  error    // the cause, if there is one
}

// notices are those of a server.
type notices struct {
	maxConns, maxConnsPerIP, handshakes, certificates notice
}

// init has each notice tell the error handler of s.
func (n *notices) init(s *Server) {
	report := func(format string, args ...any) {
		s.reports.add(s.ctx, fmt.Errorf("transport: "+format, args...))
	}
	turnedAway := "%w: %d turned away, limit %d, the last from %v"
	n.maxConns.tell = func(many int, last event) {
		report(turnedAway, ErrMaxConns, many, s.limits.total, last.from)
	}
	n.maxConnsPerIP.tell = func(many int, last event) {
		report(turnedAway, ErrMaxConnsPerIP, many, s.limits.perSource, last.from)
	}
	n.handshakes.tell = func(many int, last event) {
		noun := "connections, the last"
		if many == 1 {
			noun = "connection,"
		}
		report("%w: %d %s from %v: %w", ErrHandshake, many, noun, last.from, last.err)
	}
	n.certificates.tell = func(_ int, last event) {
		report("%w: %w", ErrTLSFiles, last.err)
	}
}

// turnedAway returns the notice of a limit.
func (n *notices) turnedAway(over error) *notice {
	if over == ErrMaxConnsPerIP {
		return &n.maxConnsPerIP
	}
	return &n.maxConns
}

// close tells the rest of each.
func (n *notices) close() {
	n.maxConns.close()
	n.maxConnsPerIP.close()
	n.handshakes.close()
	n.certificates.close()
}

// add counts an event.
func (t *notice) add(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	t.last = e
	if t.timer == nil {
		t.timer = time.AfterFunc(noticeInterval, t.elapsed)
		t.flush()
	}
}

// elapsed is called by the timer.
func (t *notice) elapsed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.timer == nil: // closed meanwhile
	case t.n == 0:
		t.timer = nil
	default:
		t.timer.Reset(noticeInterval)
		t.flush()
	}
}

// close tells the rest. It may be called again.
func (t *notice) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	t.flush()
}

// flush tells the events since the last time, if any. The caller holds the lock.
func (t *notice) flush() {
	if t.n > 0 {
		t.tell(t.n, t.last)
		t.n, t.last = 0, event{}
	}
}
