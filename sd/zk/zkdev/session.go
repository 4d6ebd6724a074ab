package zkdev

import (
	"crypto/sha1"
	"encoding/binary"
	"time"
)

// A session is a client's lease on its ephemeral znodes. It outlives connections: a client that
// comes back with its number and password before the timeout finds everything as it was, but for
// its watches. It ends when its client closes it, or when nothing was heard of the client for the
// timeout. Only the server decides that; a client that cannot reach the server cannot know.
type session struct {
	id       int64
	timeout  time.Duration
	deadline time.Time
	timer    *time.Timer
	timerAt  time.Time // when the timer runs out: at the deadline, or before it
	conn     *conn     // nil while the client is away
}

// Timeouts are clamped to these multiples of the tick, as in ZooKeeper's default configuration
// (minSessionTimeout, maxSessionTimeout).
const minTicks, maxTicks = 2, 20

// clamp returns the timeout that a client gets, which its handshake tells it.
func (s *Server) clamp(timeout time.Duration) time.Duration {
	return min(max(timeout, minTicks*s.tick), maxTicks*s.tick)
}

// password is what a client must show to take its session up again. It is derived, so it need not
// be kept; this server guards nothing, and so it is no secret.
func password(session int64) []byte {
	sum := sha1.Sum(binary.BigEndian.AppendUint64([]byte("zkdev"), uint64(session)))
	return sum[:16]
}

// openSession makes a new session, which is a change to the tree like any other: it takes a zxid.
func (s *Server) openSession(timeout time.Duration) *session {
	s.lastSession++
	sess := &session{id: s.lastSession, timeout: timeout}
	s.sessions[sess.id] = sess
	s.commit(&txn{}, func(*txn) Code { return OK })
	return sess
}

// handshake answers the first frame. A client that has seen more changes than there are is sent
// away without an answer, to try another server of its ensemble: otherwise it would go back in
// time. A session that is not known here is answered with session zero; this is the only way in
// which a client learns that its session has expired.
func (s *Server) handshake(c *conn, d *decoder) bool {
	s.counters.requests[OpConnect]++
	r := d.connectRequest()
	if d.err != nil || r.lastZxid > s.maxZxid(r.session) {
		return false
	}
	timeout := s.clamp(time.Duration(r.timeout) * time.Millisecond)
	sess := s.sessionFor(r, timeout)
	if sess == nil {
		s.send(c, connectReply(0, 0, make([]byte, 16), r.hasReadOnly))
		return false
	}
	sess.timeout, sess.conn = timeout, c
	c.session = sess
	s.touch(sess)
	c.mute = s.faults.dropsReply(OpConnect)
	ms := int32(timeout / time.Millisecond)
	reply := connectReply(ms, sess.id, password(sess.id), r.hasReadOnly)
	s.send(c, s.faults.misstate(OpConnect, reply))
	return !c.mute
}

// sessionFor finds or makes the session that a client asks for. A client that names a session,
// password or not, ends the connection that the session has now.
func (s *Server) sessionFor(r connectRequest, timeout time.Duration) *session {
	if r.session == 0 || s.faults.replaced[r.session] {
		return s.openSession(timeout)
	}
	sess := s.sessions[r.session]
	if sess == nil {
		return nil
	}
	if sess.conn != nil {
		s.drop(sess.conn)
	}
	if string(r.password) != string(password(r.session)) {
		return nil
	}
	return sess
}

// touch starts a session's timeout afresh. A timer that will run out too early is left alone: it
// finds the deadline moved and is armed again then. So a request costs no timer. Only a client that
// came back with a shorter timeout needs a new one at once.
func (s *Server) touch(sess *session) {
	sess.deadline = s.bucket(time.Now().Add(sess.timeout))
	if sess.timer == nil || sess.deadline.Before(sess.timerAt) {
		s.cancel(sess.timer)
		s.arm(sess)
	}
}

// bucket rounds up to a whole number of ticks since the server began: sessions end between their
// timeout and a tick later, all of one tick together. ZooKeeper does the same, to have one timer
// for all sessions (ExpiryQueue); here a test can rely on it.
func (s *Server) bucket(t time.Time) time.Time {
	return s.began.Add((t.Sub(s.began)/s.tick + 1) * s.tick)
}

// arm sets the timer to the deadline.
func (s *Server) arm(sess *session) {
	sess.timerAt = sess.deadline
	sess.timer = s.after(time.Until(sess.timerAt), func() { s.onTimer(sess) })
}

// onTimer runs when the timer of a session has run out.
func (s *Server) onTimer(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stopped || s.frozen != nil || s.sessions[sess.id] != sess {
		return // Thaw and Restart go through all sessions themselves
	}
	if time.Now().Before(sess.timerAt) {
		return // another timer was armed while this one waited for the lock
	}
	s.expireOrArm(sess)
}

// expireOrArm decides by the clock, because the timer may have been armed for an earlier deadline.
func (s *Server) expireOrArm(sess *session) {
	if time.Now().Before(sess.deadline) {
		s.arm(sess)
		return
	}
	s.expire(sess)
}

// expire ends a session that was not heard of. If it has a connection all the same, its client is
// told which ephemerals go, and then the connection ends.
func (s *Server) expire(sess *session) {
	s.cancel(sess.timer)
	delete(s.sessions, sess.id)
	if s.faults.holdEphemerals {
		s.faults.heldSessions = append(s.faults.heldSessions, sess.id)
	} else {
		s.removeEphemerals(sess.id)
	}
	if c := sess.conn; c != nil {
		s.cutOff(c)
		s.watches.forget(c.id)
		sess.conn = nil
	}
}

// closeSession ends a session at its client's request.
func (s *Server) closeSession(sess *session) {
	s.cancel(sess.timer)
	delete(s.sessions, sess.id)
	s.removeEphemerals(sess.id)
}

// removeEphemerals removes the ephemerals of a session that is over, all with one zxid.
func (s *Server) removeEphemerals(id int64) {
	s.commit(&txn{session: id, trusted: true}, func(x *txn) Code {
		x.endSession(id)
		return OK
	})
}

// after runs f in its own goroutine after d, unless cancel comes first. The server's Close waits
// for it. The caller holds the lock and has seen that the server is not closed.
func (s *Server) after(d time.Duration, f func()) *time.Timer {
	s.wg.Add(1)
	return time.AfterFunc(d, func() {
		defer s.wg.Done()
		f()
	})
}

// cancel stops a timer. The function of one that has run out already finds out by itself that it is
// late.
func (s *Server) cancel(t *time.Timer) {
	if t != nil && t.Stop() {
		s.wg.Done()
	}
}
