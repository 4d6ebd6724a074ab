package instruments

import (
	"container/list"
	"sync"
	"time"

	"github.com/go-kit/kit/metrics"
)

// RegistrarMetrics is sd.RegistrarMetrics.
type RegistrarMetrics struct {
	State      metrics.Gauge
	StateSince metrics.Gauge
}

// Registrations counts registrations by their phase.
type Registrations struct {
	mu     sync.Mutex
	phases map[string]*phase
}

// A phase holds since when each registration in it is: the one that has been longest in front,
// because they enter in the order of time.
type phase struct {
	since            list.List // of time.Time
	count, sinceWhen metrics.Gauge
}

// A Registration is one of those that are counted. The zero value is in no phase.
type Registration struct {
	phase *phase
	place *list.Element
}

// NewRegistrations binds m to phases, and shows all of them.
func NewRegistrations(m RegistrarMetrics, phases ...string) *Registrations {
	r := &Registrations{phases: map[string]*phase{}}
	for _, name := range phases {
		r.phases[name] = &phase{
			count:     bind(m.State, "phase", name),
			sinceWhen: bind(m.StateSince, "phase", name),
		}
	}
	return r
}

// Move has x in a phase, since a time, and in no other. One that is not among those of
// NewRegistrations is not counted: a Backend may tell any.
func (r *Registrations) Move(x *Registration, name string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.phase != nil {
		x.phase.since.Remove(x.place)
		x.phase.show()
	}
	if x.phase = r.phases[name]; x.phase == nil {
		return
	}
	x.place = x.phase.since.PushBack(since)
	x.phase.show()
}

func (p *phase) show() {
	p.count.Set(float64(p.since.Len()))
	if first := p.since.Front(); first != nil {
		p.sinceWhen.Set(seconds(first.Value.(time.Time)))
	} else {
		p.sinceWhen.Set(0)
	}
}
