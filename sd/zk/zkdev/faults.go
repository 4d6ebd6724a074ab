package zkdev

import (
	"maps"
	"slices"
	"time"
)

// faults is what the server has been told to do wrong. The zero value of every field is a server
// that works. Nothing here is random: a fault happens when a test asks for it, and only then.
type faults struct {
	refuse, hang   bool
	delay          time.Duration
	maxOp          Op
	unknown        []Op
	closeOn        []Op
	fail           map[Op][]Code
	failAll        map[Op]Code
	drop           map[Op]int
	badLength      map[Op][]int32
	in, out        *cut
	pingsOnly      *selection
	replaced       map[int64]bool
	holdEphemerals bool
	heldSessions   []int64
	lag            *lag
}

// newFaults returns a server that works.
func newFaults() faults {
	return faults{
		fail: map[Op][]Code{}, failAll: map[Op]Code{}, drop: map[Op]int{},
		badLength: map[Op][]int32{}, replaced: map[int64]bool{},
	}
}

// Refuse makes the server close every new connection at once, until it is called with false.
// Connections that are open stay: with Disconnect it is a server that is down.
func (s *Server) Refuse(on bool) { s.set(func(f *faults) { f.refuse = on }) }

// Hang makes the server accept new connections and never answer on them, not even the handshake.
// They stay without an answer after Hang(false).
func (s *Server) Hang(on bool) { s.set(func(f *faults) { f.hang = on }) }

// PingsOnly makes the server answer handshakes and pings and nothing else, until it is called with
// false: every other request is read and thrown away, and no watch event is sent (a one-shot watch
// is used up). It holds for the given sessions; without arguments for all, and for those to come.
// Sessions do not expire meanwhile, because their clients are heard.
func (s *Server) PingsOnly(on bool, sessions ...int64) {
	s.set(func(f *faults) {
		f.pingsOnly = nil
		if on {
			f.pingsOnly = &selection{sessions}
		}
	})
}

// Slow delays everything that is sent from now on by d. It adds latency and limits no rate: what is
// sent together arrives together.
func (s *Server) Slow(d time.Duration) { s.set(func(f *faults) { f.delay = d }) }

// LimitOps makes the server an older one: operations with a code above max are unknown to it (see
// LackOps). ZooKeeper 3.5 ends at 102, before OpSetWatches2 and OpAddWatch. Zero takes the limit
// away.
func (s *Server) LimitOps(max Op) { s.set(func(f *faults) { f.maxOp = max }) }

// LackOps makes single operations unknown: a request is answered with Unimplemented and then the
// connection is closed, as ZooKeeper does with a code that it does not know. Each call replaces the
// list of the one before. FailAll(op, Unimplemented) is the refusal without the close.
func (s *Server) LackOps(ops ...Op) { s.set(func(f *faults) { f.unknown = ops }) }

// CloseOn makes the server close the connection of a client that sends one of these operations,
// without carrying it out and without an answer. Each call replaces the list of the one before.
func (s *Server) CloseOn(ops ...Op) { s.set(func(f *faults) { f.closeOn = ops }) }

// FailNext makes the next request of an operation fail with code, without carrying it out. Calls
// add up. Any number is sent as it is, also one that no ZooKeeper knows.
func (s *Server) FailNext(op Op, code Code) {
	s.set(func(f *faults) { f.fail[op] = append(f.fail[op], code) })
}

// FailAll makes every request of an operation fail with code from now on, without carrying it out.
// OK ends that. What FailNext asked for comes first. After SASLRequired the connection is closed, as
// ZooKeeper does.
func (s *Server) FailAll(op Op, code Code) { s.set(func(f *faults) { f.failAll[op] = code }) }

// DropReply makes the server carry out the next request of an operation and then cut the
// connection: neither the reply nor a watch event that the request caused reaches its client. Calls
// add up.
func (s *Server) DropReply(op Op) { s.set(func(f *faults) { f.drop[op]++ }) }

// BadLengthNext makes the next reply to an operation, OpConnect included, begin with length in
// place of the number of its bytes. The reply itself follows whole, and the connection stays open.
// Calls add up.
func (s *Server) BadLengthNext(op Op, length int32) {
	s.set(func(f *faults) { f.badLength[op] = append(f.badLength[op], length) })
}

// CutAfterReading cuts a connection once n more bytes have come from clients. Requests that came
// whole within them are carried out and answered before. It counts all connections together, and
// cuts the one that brought the nth byte; with sessions it counts only theirs. It happens once.
// Zero cuts at the next byte, and that is lost.
func (s *Server) CutAfterReading(n int, sessions ...int64) {
	s.set(func(f *faults) { f.in = &cut{n, selection{sessions}} })
}

// CutAfterWriting cuts a connection after n more bytes have been sent, in the middle of a frame if
// that is where the limit is. It counts and chooses like CutAfterReading.
func (s *Server) CutAfterWriting(n int, sessions ...int64) {
	s.set(func(f *faults) { f.out = &cut{n, selection{sessions}} })
}

// set changes a fault under the lock. A request sees it either before all of its work or not at
// all.
func (s *Server) set(change func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

// A selection is the sessions that a fault is for. An empty one is every session, and every
// connection that has none yet.
type selection struct{ sessions []int64 }

func (l selection) has(session int64) bool {
	return len(l.sessions) == 0 || slices.Contains(l.sessions, session)
}

// chosen returns the sessions with the given numbers, or all of them, the oldest first.
func (s *Server) chosen(ids []int64) []*session {
	var list []*session
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		if (selection{ids}).has(id) {
			list = append(list, s.sessions[id])
		}
	}
	return list
}

// connected returns the connections of sessions, or all connections, those before their handshake
// included.
func (s *Server) connected(ids []int64) []*conn {
	var list []*conn
	for _, w := range slices.Sorted(maps.Keys(s.conns)) {
		if c := s.conns[w]; (selection{ids}).has(c.sessionID()) {
			list = append(list, c)
		}
	}
	return list
}

// sessionID returns zero before the handshake.
func (c *conn) sessionID() int64 {
	if c.session == nil {
		return 0
	}
	return c.session.id
}

// The methods below are asked once for each request, in the order in which requests are carried
// out.

// lacks says whether the server is to know an operation no more.
func (f *faults) lacks(op Op) bool {
	return f.maxOp > 0 && op > f.maxOp || slices.Contains(f.unknown, op)
}

// ignores says whether requests of a connection, other than pings, are thrown away.
func (f *faults) ignores(c *conn) bool {
	return f.pingsOnly != nil && f.pingsOnly.has(c.sessionID())
}

// failure returns the code with which a request is to fail, or OK.
func (f *faults) failure(op Op) Code {
	if code, one := next(f.fail, op); one {
		return code
	}
	return f.failAll[op]
}

// next takes the first of what is planned for an operation.
func next[T any](plan map[Op][]T, op Op) (first T, found bool) {
	if len(plan[op]) == 0 {
		return first, false
	}
	first, plan[op] = plan[op][0], plan[op][1:]
	return first, true
}

// dropsReply says whether the reply to a request is to be lost.
func (f *faults) dropsReply(op Op) bool {
	if f.drop[op] == 0 {
		return false
	}
	f.drop[op]--
	return true
}

// misstate gives a reply the length that was asked for, if any.
func (f *faults) misstate(op Op, frame []byte) []byte {
	if length, found := next(f.badLength, op); found {
		head := encoder{frame[:0]}
		head.int32(length)
	}
	return frame
}
