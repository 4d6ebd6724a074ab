package zkdev

import (
	"maps"
	"slices"
	"time"
)

// faults is what the server has been told to do wrong. The zero value of every
// field is right. Nothing here is left to chance: what a test does not command
// does not happen.
type faults struct {
	refuse, hang   bool
	delay          time.Duration
	maxOp          Op
	fail           map[Op][]Code
	drop           map[Op]int
	in, out        *cut
	replaced       map[int64]bool
	holdEphemerals bool
	heldSessions   []int64
	lag            *lag
}

// newFaults returns a server's good behaviour.
func newFaults() faults {
	return faults{fail: map[Op][]Code{}, drop: map[Op]int{}, replaced: map[int64]bool{}}
}

// Refuse makes the server close every new connection at once, until it is
// called with false. Connections that are open stay: with Disconnect it is a
// server that is down.
func (s *Server) Refuse(on bool) { s.set(func(f *faults) { f.refuse = on }) }

// Hang makes the server accept new connections and never answer on them. They
// stay mute after Hang(false).
func (s *Server) Hang(on bool) { s.set(func(f *faults) { f.hang = on }) }

// Slow delays everything that is sent from now on by d. It adds latency, not a
// limit: what is sent together arrives together.
func (s *Server) Slow(d time.Duration) { s.set(func(f *faults) { f.delay = d }) }

// LimitOps makes the server an older one: operations above max are answered
// with Unimplemented and the connection is closed. ZooKeeper 3.5 ends at 102,
// before OpSetWatches2 and OpAddWatch. Zero takes the limit away.
func (s *Server) LimitOps(max Op) { s.set(func(f *faults) { f.maxOp = max }) }

// FailNext makes the next request of an operation fail with code, without
// carrying it out. Calls add up.
func (s *Server) FailNext(op Op, code Code) {
	s.set(func(f *faults) { f.fail[op] = append(f.fail[op], code) })
}

// DropReply makes the server carry out the next request of an operation and
// then cut the connection: neither the reply nor a watch event that the request
// caused reaches its client. Calls add up.
func (s *Server) DropReply(op Op) { s.set(func(f *faults) { f.drop[op]++ }) }

// CutAfterReading cuts a connection once n more bytes have come from clients.
// Requests that came whole within them are carried out and answered before. It
// counts all connections together, and cuts the one that brought the nth byte;
// with sessions it counts only theirs. It happens once. Zero cuts at the next
// byte, and that is lost.
func (s *Server) CutAfterReading(n int, sessions ...int64) {
	s.set(func(f *faults) { f.in = &cut{n, sessions} })
}

// CutAfterWriting cuts a connection after n more bytes have been sent, in the
// middle of a frame if it falls so. It counts and chooses like CutAfterReading.
func (s *Server) CutAfterWriting(n int, sessions ...int64) {
	s.set(func(f *faults) { f.out = &cut{n, sessions} })
}

// HoldEphemerals keeps the ephemerals of sessions that expire from now on, as if
// their end had not come through yet. Sessions that their clients close lose
// theirs at once.
func (s *Server) HoldEphemerals() { s.set(func(f *faults) { f.holdEphemerals = true }) }

// ReleaseEphemerals removes what HoldEphemerals kept, and holds no more.
func (s *Server) ReleaseEphemerals() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.faults.heldSessions {
		s.removeEphemerals(id)
	}
	s.faults.heldSessions, s.faults.holdEphemerals = nil, false
}

// Expire ends sessions as if their timeout had passed: ephemerals go,
// connections are cut, and who comes back hears that the session is gone.
// Without arguments it ends all.
func (s *Server) Expire(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.chosen(sessions) {
		s.expire(sess)
	}
}

// Replace expires sessions, but gives each client that comes back with one a
// fresh session without a word, as ClickHouse Keeper does. Only the changed
// number tells.
func (s *Server) Replace(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.chosen(sessions) {
		s.expire(sess)
		s.faults.replaced[sess.id] = true
	}
}

// Disconnect cuts the connections of sessions, which live on. Without arguments
// it cuts every connection.
func (s *Server) Disconnect(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(sessions) {
		s.drop(c)
	}
}

// ForgetWatches drops the watches of sessions, without arguments those of all.
// Nobody is told.
func (s *Server) ForgetWatches(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(sessions) {
		s.watches.forget(c.id)
	}
}

// Wipe makes the server a new one at the same address: an empty tree, zxid
// zero, no session, no connection. Faults stay as they are set, but for the lag
// and the heldSessions.
func (s *Server) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(nil) {
		s.drop(c)
	}
	for _, sess := range s.sessions {
		s.cancel(sess.timer)
	}
	clear(s.sessions)
	s.tree, s.watches = newTree(), newWatches()
	s.faults.lag, s.faults.heldSessions = nil, nil
}

// Freeze stops the server as SIGSTOP would: connections are accepted and bytes
// taken in, and nothing more happens. No session expires meanwhile. Changes
// from the outside, like Create, are made at once and told after Thaw.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		s.frozen = make(chan struct{})
	}
}

// Thaw lets a frozen server go on. Clocks have run: sessions whose time passed
// are expired before anything that their clients sent meanwhile is read. A real
// server races here; this is its worse outcome.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		return
	}
	for _, sess := range s.chosen(nil) {
		s.cancel(sess.timer)
		s.expireOrArm(sess)
	}
	close(s.frozen)
	s.frozen = nil
}

// set changes a knob under the lock. A request sees it either before all of its
// work or not at all.
func (s *Server) set(change func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

// chosen returns the sessions with the given numbers, or all of them, the
// oldest first.
func (s *Server) chosen(ids []int64) []*session {
	var list []*session
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		if selects(ids, id) {
			list = append(list, s.sessions[id])
		}
	}
	return list
}

// connected returns the connections of sessions, or all connections, those
// before their handshake included.
func (s *Server) connected(ids []int64) []*conn {
	var list []*conn
	for _, w := range slices.Sorted(maps.Keys(s.conns)) {
		if c := s.conns[w]; selects(ids, c.sessionID()) {
			list = append(list, c)
		}
	}
	return list
}

// selects says whether a session is among ids. No ids at all mean every
// session, and connections that have none yet.
func selects(ids []int64, id int64) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// sessionID returns zero before the handshake.
func (c *conn) sessionID() int64 {
	if c.session == nil {
		return 0
	}
	return c.session.id
}

// tooNew, failNext and dropsReply are asked once for each request, in the order
// in which requests are carried out.
func (f *faults) tooNew(op Op) bool { return f.maxOp > 0 && op > f.maxOp }

func (f *faults) failNext(op Op) (Code, bool) {
	if len(f.fail[op]) == 0 {
		return OK, false
	}
	code := f.fail[op][0]
	f.fail[op] = f.fail[op][1:]
	return code, true
}

func (f *faults) dropsReply(op Op) bool {
	if f.drop[op] == 0 {
		return false
	}
	f.drop[op]--
	return true
}
