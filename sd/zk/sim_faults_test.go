package zk_test

import (
	"math"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/zk/zkdev"
)

// sessions returns all but the observer's, and 0, which stands for connections that have none yet.
func (sim *simulation) sessions() []int64 {
	ids := []int64{0}
	for _, s := range sim.server.Sessions() {
		if s.ID != sim.observer.session {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// sessionOf returns the session of the process in s, if there are both.
func (sim *simulation) sessionOf(s *slot) []int64 {
	if s.process == nil || s.process.session() == 0 {
		return nil
	}
	return []int64{s.process.session()}
}

// A span is a time. It is under way while to is zero.
type span struct{ from, to time.Time }

// within returns how much of the span lies between from and to.
func (s span) within(from, to time.Time) time.Duration {
	if s.from.After(from) {
		from = s.from
	}
	if !s.to.IsZero() && s.to.Before(to) {
		to = s.to
	}
	return max(0, to.Sub(from))
}

// freeze stops the server, or lets it go on.
func (sim *simulation) freeze(on bool) {
	sim.mu.Lock()
	switch {
	case on && !sim.frozen:
		sim.freezes = append(sim.freezes, span{from: time.Now()})
	case !on && sim.frozen:
		sim.freezes[len(sim.freezes)-1].to = time.Now()
	}
	sim.frozen = on
	sim.mu.Unlock()
	if on {
		sim.server.Freeze()
	} else {
		sim.server.Thaw()
	}
}

// aim lets fault hit sessions, and nobody if there are none.
func (sim *simulation) aim(fault func(...int64), sessions []int64) {
	if len(sessions) > 0 {
		fault(sessions...)
	}
}

// forget drops watches. What happens then is noticed at the next audit.
func (sim *simulation) forget(sessions []int64) {
	sim.forgot = true
	sim.aim(sim.server.ForgetWatches, sessions)
}

// cutAfter cuts the connection that the nth byte from now on passes.
func (sim *simulation) cutAfter(in bool, n int) {
	if in {
		sim.server.CutAfterReading(n, sim.sessions()...)
	} else {
		sim.server.CutAfterWriting(n, sim.sessions()...)
	}
}

// partition takes the network from the process in s, or gives it back.
func (sim *simulation) partition(s *slot, on bool) {
	if s.process != nil {
		s.process.line.cut(on)
	}
}

// arm notes a fault that hits the next request of an operation.
func (sim *simulation) arm(op zkdev.Op, denies bool) {
	sim.armed[op] = max(sim.armed[op], sim.server.Requests(op)) + 1
	if denies {
		sim.denials++
	}
}

func (sim *simulation) dropReply(op zkdev.Op) {
	sim.arm(op, false)
	sim.server.DropReply(op)
}

func (sim *simulation) failNext(op zkdev.Op, code zkdev.Code) {
	sim.arm(op, code == zkdev.NoAuth)
	sim.server.FailNext(op, code)
}

// limit makes the server one before ZooKeeper 3.6, or a new one again. What it does not know hits
// no fault that waits for it.
func (sim *simulation) limit(on bool) {
	if n, armed := sim.armed[zkdev.OpAddWatch]; armed && sim.limited {
		sim.armed[zkdev.OpAddWatch] = max(n, sim.server.Requests(zkdev.OpAddWatch)+1)
	}
	sim.limited = on
	if on {
		sim.server.LimitOps(102)
	} else {
		sim.server.LimitOps(0)
	}
}

// pending reports whether a fault is armed that has hit nobody.
func (sim *simulation) pending() bool {
	for op, n := range sim.armed {
		if sim.server.Requests(op) < n {
			return true
		}
	}
	return false
}

// late reports whether the observer noted at that time what happened at the other one at the
// latest: it is behind by mostSlow at most, and by the time for which everything was frozen.
func (sim *simulation) late(noted, happened time.Time) bool {
	bound := mostSlow
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for _, s := range sim.freezes {
		bound += s.within(happened, noted)
	}
	return noted.After(happened.Add(bound))
}

// slowDown delays what the server sends from now on.
func (sim *simulation) slowDown(d time.Duration) {
	if until := time.Now().Add(sim.slow); d < sim.slow && until.After(sim.held) {
		sim.held = until
	}
	sim.slow = d
	sim.server.Slow(d)
}

// wipe makes the server forget everything. The observer is the first to be there again, so that it
// misses nothing.
func (sim *simulation) wipe(directory bool) {
	sim.healServer()
	time.Sleep(time.Until(sim.held))
	synctest.Wait() // everybody has been told what happened before
	sim.gate.Store(true)
	defer sim.gate.Store(false)
	sim.server.Wipe()
	sim.mu.Lock()
	clear(sim.foreign)
	sim.mu.Unlock()
	sim.observer.wiped()
	if err := sim.observer.observe(); err != nil {
		sim.t.Fatal(err)
	}
	if directory {
		sim.server.Create("/go_servers", nil, 0)
	}
}

// heal ends every fault, but for those that wait for a request.
func (sim *simulation) heal() {
	sim.healServer()
	for _, s := range sim.slots {
		sim.partition(s, false)
	}
}

func (sim *simulation) healServer() {
	sim.freeze(false)
	sim.server.Hang(false)
	sim.server.Refuse(false)
	sim.slowDown(0)
	sim.limit(false)
	sim.server.CatchUp()
	sim.server.ReleaseEphemerals()
	sim.server.CutAfterReading(math.MaxInt, 0)
	sim.server.CutAfterWriting(math.MaxInt, 0)
}
