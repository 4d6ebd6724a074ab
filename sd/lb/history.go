package lb

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/lb/internal/latency"
)

// A history holds the counts of an instance. It outlives the Member: an instance that returns goes
// on with its own.
type history struct {
	requests, failures, outlived, answers atomic.Uint64
	ejected, setAside                     atomic.Uint64
	total, longest                        atomic.Int64 // latency of the answers, in nanoseconds

	// The rest are the Member's own when it left.
	member       *Member // itself, if it left with calls in flight
	latency      latency.Average
	failingSince int64
	row          uint32 // failures
	ejections    uint8
	failing      bool

	ejection *ejection // the latest in a row, nil since it has answered; guarded by Pool.mu
}

// An ejection is why a member was ejected.
type ejection struct {
	cause evidence
	err   error // of the attempt
}

// maxPast is how many histories of instances that left are kept, whatever the churn.
const maxPast = 1024

// save keeps m's history, if there is any. The caller holds mu.
func (p *Pool) save(m *Member) {
	h := m.history
	if h.requests.Load() == 0 {
		return
	}
	h.latency.Copy(&m.latency)
	h.row, h.failingSince = m.failures.Load(), m.failingSince.Load()
	h.failing, h.ejections = m.health != answering, m.ejections
	if m.InFlight() > 0 {
		h.member = m
	}
	if len(p.past) >= maxPast {
		for instance := range p.past { // any one: a map yields them in random order
			delete(p.past, instance)
			break
		}
	}
	p.past[m.instance] = h
}

// restore returns a member for instance, with the history it left: one that was failing begins with
// a probe. It is the one that left, endpoint and all, if that has calls in flight. The caller holds
// mu.
func (p *Pool) restore(instance string) *Member {
	h := p.past[instance]
	delete(p.past, instance)
	if h == nil {
		return newMember(instance, new(history))
	}
	m := h.member
	h.member = nil
	if m != nil && m.reopen() {
		return m
	}
	m = newMember(instance, h)
	m.ejections = h.ejections
	m.latency.Copy(&h.latency)
	m.failures.Store(h.row)
	m.failingSince.Store(h.failingSince)
	if h.failing {
		m.health = failing
		m.failingSince.CompareAndSwap(0, 1) // an answer that came too late for m took it back
	}
	return m
}

// A Stat holds the counts of one instance since the Pool was made.
type Stat struct {
	Instance  string
	State     string // pending (no endpoint yet), listed, ejected, drained, reserve or gone
	Requests  uint64 // attempts that were sent to it
	Failures  uint64 // of these; attempts that were cancelled are not counted
	Outlived  uint64 // of these, cancelled: silent for their share, when another one answered
	SetAside  uint64 // how often it failed after an answer, so that probes alone went to it
	Ejections uint64 // how often even these waited
	InFlight  int
	Mean, Max time.Duration // latency of the attempts that succeeded

	Drained bool      // by the policy, whatever State says beside it
	Failing bool      // its latest attempts failed
	Warming bool      // in slow start
	Until   time.Time // the end of the ejection, of the reserve, or of slow start; zero for none
	Cause   string    // of the ejection: refused, unreachable, silent or outlived
	Err     error     // of the attempt that ejected it
}

// Stats returns a Stat for each instance that is in the Pool or has had requests, in the order of
// their names. Of those that left it knows the last thousand or so.
func (p *Pool) Stats() []Stat {
	p.mu.Lock()
	stats := make([]Stat, 0, len(p.members)+len(p.past))
	for instance, m := range p.members {
		s := m.history.stat(instance, m.statName(), m.InFlight())
		p.describe(&s, m)
		stats = append(stats, s)
	}
	for instance, h := range p.past {
		inFlight := 0
		if h.member != nil {
			inFlight = h.member.InFlight()
		}
		stats = append(stats, h.stat(instance, "gone", inFlight))
	}
	p.mu.Unlock()
	slices.SortFunc(stats, func(a, b Stat) int { return strings.Compare(a.Instance, b.Instance) })
	return stats
}

func (h *history) stat(instance, state string, inFlight int) Stat {
	s := Stat{
		Instance:  instance,
		State:     state,
		Requests:  h.requests.Load(),
		Failures:  h.failures.Load(),
		Outlived:  h.outlived.Load(),
		SetAside:  h.setAside.Load(),
		Ejections: h.ejected.Load(),
		InFlight:  inFlight,
		Max:       time.Duration(h.longest.Load()),
	}
	if n := h.answers.Load(); n > 0 {
		s.Mean = time.Duration(h.total.Load() / int64(n))
	}
	return s
}

// describe adds where m stands to its counts. The caller holds mu.
func (p *Pool) describe(s *Stat, m *Member) {
	s.Drained = m.drained
	s.Failing = m.health != answering
	s.Warming = m.warming.Load() && s.State == "listed"
	until := int64(0)
	switch {
	case s.State == "ejected":
		until = m.ejectedUntil
	case s.State == "reserve":
		until = m.lostAt + p.config.reserve
	case s.Warming:
		until = m.warmFrom.Load() + p.config.slowStart
	}
	if until > 0 {
		s.Until = time.Now().Add(time.Duration(until - p.now())) // born may be wrong since the clock was set
	}
	if e := m.history.ejection; e != nil {
		s.Cause, s.Err = e.cause.String(), e.err
	}
}

// statName is the word for its state in a Stat. The caller holds mu.
func (m *Member) statName() string {
	switch {
	case m.presence == pending:
		return "pending"
	case m.presence == reserve:
		return "reserve"
	case m.health == ejected:
		return "ejected"
	case m.drained:
		return "drained"
	default:
		return "listed"
	}
}

// recordAnswer counts a success.
func (h *history) recordAnswer(latency int64) {
	h.answers.Add(1)
	h.total.Add(latency)
	for {
		longest := h.longest.Load()
		if latency <= longest || h.longest.CompareAndSwap(longest, latency) {
			return
		}
	}
}
