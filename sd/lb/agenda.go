package lb

import "container/heap"

// An entry says that something about a member has to be looked at. Entries are never taken back: whoever looks finds out
// whether there is still something to do.
type entry struct {
	at     int64
	member *Member // nil for reopen
	what   task
}

type task uint8

const (
	endReserve task = iota
	endApart
	endWarming
	remake
	reopen // the reserve: to publish is all there is to do
)

// An agenda is a heap of entries, the earliest first.
type agenda []entry

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = entry{}
	*a = (*a)[:last]
	return e
}

// plan puts an entry down, and wakes run if it is to come first. The caller holds mu.
func (p *Pool) plan(at int64, m *Member, what task) {
	heap.Push(&p.agenda, entry{at, m, what})
	if p.agenda[0].at == at {
		select {
		case p.nudge <- struct{}{}:
		default: // run has not yet looked since the last nudge
		}
	}
}

// due takes the entries whose time has come. The caller holds mu.
func (p *Pool) due(now int64) (entries []entry) {
	for len(p.agenda) > 0 && p.agenda[0].at <= now {
		entries = append(entries, heap.Pop(&p.agenda).(entry))
	}
	return entries
}

// attend does what is due. Only run calls it.
func (p *Pool) attend() {
	p.mu.Lock()
	now := p.now()
	entries := p.due(now)
	var gone, fresh []*Member
	for _, e := range entries {
		m := e.member
		switch {
		case e.what == endReserve && m.place == reserve && m.leftAt+p.config.reserve <= now:
			p.discard(m)
			gone = append(gone, m)
		case e.what == endApart:
			p.rejoin(m, now)
		case e.what == endWarming:
			m.clear(warming)
		case e.what == remake && p.members[m.instance] == m:
			fresh = append(fresh, m)
		}
	}
	if len(entries) > 0 {
		p.publish()
	}
	p.mu.Unlock()
	for _, m := range gone {
		m.retire()
	}
	p.make(fresh)
}
