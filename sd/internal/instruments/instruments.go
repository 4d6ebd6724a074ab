// Package instruments reports the states of package sd to go-kit's metrics: an Instancer its own,
// and Registrars theirs together. It knows no loop. A report is a few stores under a lock that is
// held for nothing else, so that it may be made while the reporter holds locks of its own.
package instruments

import (
	"cmp"
	"sync"
	"time"

	"github.com/go-kit/kit/metrics"
	"github.com/go-kit/kit/metrics/discard"
)

// The phases of an Instancer, which are sd's.
const (
	unknown = "unknown"
	live    = "live"
	stale   = "stale"
)

// confirmInterval is how often the time of the last confirmation is set while that is now.
const confirmInterval = 5 * time.Second

// InstancerMetrics is sd.InstancerMetrics.
type InstancerMetrics struct {
	Instances       metrics.Gauge
	SetHash         metrics.Gauge
	State           metrics.Gauge
	StateSince      metrics.Gauge
	LastConfirmed   metrics.Gauge
	PolicyVersion   metrics.Gauge
	PolicySuspended metrics.Gauge
	PolicyProblems  metrics.Gauge
}

// An Instancer holds the instruments of one, bound to their labels. Nil has none.
type Instancer struct {
	instances, setHash        metrics.Gauge
	stateSince, lastConfirmed metrics.Gauge
	policyVersion             metrics.Gauge
	drains, weights           metrics.Gauge
	lines, document, unread   metrics.Gauge

	mu     sync.Mutex
	phases map[string]metrics.Gauge
	isLive bool
	timer  *time.Timer // runs while it is live
}

// NewInstancer binds m and shows all of it, as of an Instancer that knows nothing.
func NewInstancer(m InstancerMetrics) *Instancer {
	i := &Instancer{
		instances:     bind(m.Instances),
		setHash:       bind(m.SetHash),
		stateSince:    bind(m.StateSince),
		lastConfirmed: bind(m.LastConfirmed),
		policyVersion: bind(m.PolicyVersion),
		drains:        bind(m.PolicySuspended, "verb", "drain"),
		weights:       bind(m.PolicySuspended, "verb", "weight"),
		lines:         bind(m.PolicyProblems, "kind", "line"),
		document:      bind(m.PolicyProblems, "kind", "document"),
		unread:        bind(m.PolicyProblems, "kind", "attributes"),
		phases:        map[string]metrics.Gauge{},
	}
	for _, phase := range []string{unknown, live, stale} {
		i.phases[phase] = bind(m.State, "phase", phase)
	}
	i.timer = time.AfterFunc(confirmInterval, i.confirm)
	i.timer.Stop()
	return i
}

// bind binds a gauge, and shows it.
func bind(g metrics.Gauge, label ...string) metrics.Gauge {
	g = cmp.Or(g, discard.NewGauge())
	if len(label) > 0 {
		g = g.With(label...)
	}
	g.Set(0)
	return g
}

// SetState reports a state. Of one that is stale, since is when the set was confirmed last.
func (i *Instancer) SetState(phase string, since time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for name, gauge := range i.phases {
		gauge.Set(number(name == phase))
	}
	i.stateSince.Set(seconds(since))
	switch i.isLive = phase == live; phase {
	case live:
		i.lastConfirmed.Set(seconds(time.Now()))
		i.timer.Reset(confirmInterval)
	case stale:
		i.lastConfirmed.Set(seconds(since))
	}
	if !i.isLive {
		i.timer.Stop()
	}
}

// confirm reports that the set is confirmed still.
func (i *Instancer) confirm() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.isLive { // it may have ended when the timer had fired
		i.lastConfirmed.Set(seconds(time.Now()))
		i.timer.Reset(confirmInterval)
	}
}

// SetSet reports how many instances there are, and the hash of their set.
func (i *Instancer) SetSet(size int, hash uint64) {
	i.instances.Set(float64(size))
	i.setHash.Set(float64(hash))
}

// A Policy is what is reported of one.
type Policy struct {
	Version    int64
	Drains     bool // are suspended
	Weights    bool // are suspended
	WrongLines int
	Unreadable bool
	Unread     int // instances whose attributes could not be read
}

// Add adds what there is of another registry beside. The version is the first one's.
func (p *Policy) Add(other Policy) {
	p.Version = cmp.Or(p.Version, other.Version)
	p.WrongLines += other.WrongLines
	p.Unreadable = p.Unreadable || other.Unreadable
	p.Unread += other.Unread
}

// SetPolicy reports what is followed.
func (i *Instancer) SetPolicy(p Policy) {
	i.policyVersion.Set(float64(p.Version))
	i.drains.Set(number(p.Drains))
	i.weights.Set(number(p.Weights))
	i.lines.Set(float64(p.WrongLines))
	i.document.Set(number(p.Unreadable))
	i.unread.Set(float64(p.Unread))
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds are Prometheus' form of a time.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// Counting returns a function that adds one to c, which is shown at once. Nil is no counter.
func Counting(c metrics.Counter) func() {
	c = cmp.Or(c, discard.NewCounter())
	c.Add(0)
	return func() { c.Add(1) }
}
