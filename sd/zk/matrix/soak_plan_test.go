package matrix

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	soakServers = 20
	soakMembers = 3 // of the ensemble
	// wellServers are undisturbed at any time: they run, and were not stopped, drained or withdrawn
	// within the last 5 s.
	wellServers = 8
	wellAfter   = 5 * time.Second
	// maxStopped bounds the servers that stand still at once: an idempotent call has time for three
	// attempts, so that two that hang cost it no answer.
	maxStopped = 2
	// calmAfter is between two faults of ZooKeeper, and before an edit of the policy.
	calmAfter = 6 * time.Second
)

// A plan is steps in the making. Everything in it follows from the seed and the time.
type soakPlan struct {
	*rand.Rand
	steps   []step
	undo    []step // later steps that end a fault, in no order
	servers [soakServers]planned
	calm    time.Duration // from here on ZooKeeper may be broken, and the policy edited
}

// A planned server is how a server stands.
type planned struct {
	down, stopped     bool
	drained, withdrew bool
	since             time.Duration
}

// planSoak returns steps for the time that a soak lasts.
func planSoak(seed uint64, length time.Duration) []step {
	p := &soakPlan{Rand: rand.New(rand.NewPCG(seed, seed))}
	for i := range p.servers {
		p.servers[i].since = -time.Hour
	}
	p.quiet(0)
	at := 3 * time.Second
	for rest := p.restAfter(length); at < length; at += p.between(300, 2000) {
		if at > rest {
			at = p.settle(at)
			rest = at + p.restAfter(length)
		}
		p.catchUp(at)
		p.fault(at)
	}
	p.settle(at)
	return p.steps
}

// restAfter is the time between two quiet phases.
func (p *soakPlan) restAfter(length time.Duration) time.Duration {
	return min(p.between(25_000, 40_000), length/2)
}

// between draws a time between two numbers of milliseconds.
func (p *soakPlan) between(from, to int) time.Duration {
	return time.Duration(from+p.IntN(to-from)) * time.Millisecond
}

func (p *soakPlan) do(at time.Duration, verb string, numbers ...int) {
	p.steps = append(p.steps, step{at, verb, numbers})
}

// later plans the end of a fault.
func (p *soakPlan) later(at time.Duration, verb string, numbers ...int) {
	p.undo = append(p.undo, step{at, verb, numbers})
}

// catchUp takes the ends of faults that are due.
func (p *soakPlan) catchUp(to time.Duration) {
	slices.SortStableFunc(p.undo, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	for len(p.undo) > 0 && p.undo[0].at <= to {
		s := p.undo[0]
		p.undo, p.steps = p.undo[1:], append(p.steps, s)
		if s.verb == "start" || s.verb == "continue" {
			server := &p.servers[s.numbers[0]]
			server.down, server.stopped, server.since = false, false, s.at
		}
	}
}

// settle ends all faults of ZooKeeper and has nobody stand still, rests, and returns when the next
// fault may come. Who is down stays so.
func (p *soakPlan) settle(at time.Duration) time.Duration {
	last := at
	for i := range p.undo {
		if p.undo[i].verb != "start" {
			p.undo[i].at = min(p.undo[i].at, at)
		} else {
			p.undo[i].at = max(p.undo[i].at, at+time.Millisecond)
		}
	}
	p.catchUp(at)
	p.quiet(last)
	p.calm = at
	return at + time.Second
}

func (p *soakPlan) quiet(at time.Duration) { p.do(at, "quiet") }

// fault begins one, if the one that was drawn may be.
func (p *soakPlan) fault(at time.Duration) {
	switch kind := p.IntN(10); {
	case kind < 5:
		p.breakServer(at)
	case at < p.calm: // ZooKeeper is not well
	case kind < 7:
		p.breakZooKeeper(at)
	default:
		p.edit(at)
	}
}

// disturbable returns a server that may be disturbed, and whether there is one.
func (p *soakPlan) disturbable(at time.Duration) (i int, ok bool) {
	var up []int
	well, stopped := 0, 0
	for i, s := range p.servers {
		switch {
		case s.stopped:
			stopped++
		case !s.down:
			up = append(up, i)
			if s.well(at) {
				well++
			}
		}
	}
	if len(up) == 0 || stopped >= maxStopped {
		return 0, false
	}
	i = up[p.IntN(len(up))]
	return i, well > wellServers || !p.servers[i].well(at)
}

func (s planned) well(at time.Duration) bool {
	return !s.down && !s.stopped && !s.drained && !s.withdrew && at-s.since > wellAfter
}

func (p *soakPlan) breakServer(at time.Duration) {
	i, ok := p.disturbable(at)
	if !ok {
		return
	}
	s := &p.servers[i]
	s.since = at
	switch p.IntN(3) {
	case 0:
		s.down = true
		p.do(at, "kill", i)
		p.later(at+p.between(1, 6000), "start", i)
	case 1:
		s.down = true
		p.do(at, "terminate", i)
		p.later(at+p.between(1, 6000), "start", i)
	case 2:
		s.stopped = true
		p.do(at, "stop", i)
		p.later(at+p.between(300, 6000), "continue", i)
	}
}

func (p *soakPlan) breakZooKeeper(at time.Duration) {
	member, end := p.IntN(soakMembers), at+p.between(500, 6000)
	switch p.IntN(5) {
	case 0:
		p.do(at, "zk-kill", member)
		p.later(end, "zk-start", member)
	case 1:
		p.do(at, "zk-stop", member)
		p.later(end, "zk-continue", member)
	case 2:
		p.do(at, "zk-kill-all")
		p.later(end, "zk-start-all")
	case 3:
		p.do(at, "zk-stop-all")
		p.later(end, "zk-continue-all")
	case 4:
		p.do(at, "zk-wipe")
		p.later(at+time.Millisecond, "zk-start-all")
		end = at
		for i := range p.servers { // a wiped ensemble has no policy
			p.servers[i].drained, p.servers[i].withdrew = false, false
		}
	}
	p.calm = end + calmAfter
}

func (p *soakPlan) edit(at time.Duration) {
	i, ok := p.disturbable(at)
	s := &p.servers[i]
	switch p.IntN(6) {
	case 0, 1:
		if ok {
			s.drained, s.since = true, at
			p.do(at, "drain", i)
		}
	case 2:
		if ok {
			s.withdrew, s.since = true, at
			p.do(at, "withdraw", i)
		}
	case 3:
		i := p.IntN(soakServers)
		s := &p.servers[i]
		if s.drained || s.withdrew {
			s.drained, s.withdrew, s.since = false, false, at
			p.do(at, "undrain", i)
		}
	case 4:
		p.do(at, "weight", p.IntN(soakServers), p.IntN(4)*100)
	case 5:
		p.do(at, "share", 5+p.IntN(50))
	}
}
