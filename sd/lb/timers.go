package lb

import (
	"container/heap"
	"time"
)

// A timer says that something about a member has to be looked at. Timers are never taken back: fire
// finds out whether there is still something to do.
type timer struct {
	at     int64
	member *Member // nil for endPause
	kind   timerKind
}

type timerKind uint8

const (
	endReserve timerKind = iota
	endWarming
	probe
	rebuild
	endPause // of the breaker: its word counts in a snapshot
)

// timers is a heap, the earliest first.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	e := (*t)[last]
	(*t)[last] = timer{}
	*t = (*t)[:last]
	return e
}

// schedule adds a timer, and wakes run if it is the earliest. The caller holds mu.
func (p *Pool) schedule(at int64, m *Member, kind timerKind) {
	heap.Push(&p.timers, timer{at, m, kind})
	if p.timers[0].at == at {
		p.wake.Set()
	}
}

// fire serves the timers that have expired. Only run calls it.
func (p *Pool) fire() {
	p.mu.Lock()
	now := p.now()
	var dropped, retried []*Member
	for len(p.timers) > 0 && p.timers[0].at <= now {
		t := heap.Pop(&p.timers).(timer)
		m := t.member
		switch {
		case t.kind == endReserve && m.presence == reserve && m.lostAt+p.config.reserve <= now:
			dropped = append(dropped, p.discard([]*Member{m})...)
		case t.kind == probe && m.probePlanned == t.at: // or an earlier one took its place
			m.probePlanned = 0
			p.planProbe(m)
		case t.kind == endWarming && m.warmFrom.Load()+p.config.slowStart <= now:
			m.warming.Store(false)
		case t.kind == endPause:
			p.changed = true
		case t.kind == rebuild && p.members[m.instance] == m:
			retried = append(retried, m)
		}
	}
	p.separateZones()
	p.publish()
	p.mu.Unlock()
	closeMembers(dropped)
	p.buildEndpoints(retried)
}

// run is the Pool's goroutine.
func (p *Pool) run() {
	timer := time.NewTimer(p.untilNext())
	defer timer.Stop()
	for {
		select {
		case c := <-p.changes:
			p.apply(c)
		case <-timer.C:
			p.fire()
		case <-p.wake:
		case <-p.done:
			return
		}
		timer.Reset(p.untilNext())
	}
}

// untilNext is how long run may sleep.
func (p *Pool) untilNext() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.timers) == 0 {
		return time.Hour
	}
	return time.Duration(p.timers[0].at - p.now())
}
