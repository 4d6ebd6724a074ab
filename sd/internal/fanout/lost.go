package fanout

import "time"

// lostFor is how long at least it is known who was lost. A follower that goes on with such an
// instance, as lb.Pool does with its reserve, does so for less.
const lostFor = 10 * time.Minute

// A Memory holds those that were lost of late, with what is known of each: a policy that comes later
// is about them as well. It is in two generations, of which the older one is forgotten as a whole.
// The zero value is empty.
type Memory[V any] struct {
	recent, older map[string]V
	began         time.Time // the recent one
}

// Add notes that an instance is lost, or another value of it.
func (m *Memory[V]) Add(name string, v V, now time.Time) {
	if m.recent == nil || now.Sub(m.began) >= lostFor {
		m.recent, m.older, m.began = map[string]V{}, m.recent, now
	}
	delete(m.older, name)
	m.recent[name] = v
}

// Remove notes that an instance is back.
func (m *Memory[V]) Remove(name string) {
	delete(m.recent, name)
	delete(m.older, name)
}

// Get returns the value of an instance, if it was lost of late.
func (m *Memory[V]) Get(name string) (v V, ok bool) {
	if v, ok = m.recent[name]; !ok {
		v, ok = m.older[name]
	}
	return v, ok
}

// All yields each with its value.
func (m *Memory[V]) All(yield func(name string, v V) bool) {
	for _, some := range []map[string]V{m.older, m.recent} {
		for name, v := range some {
			if !yield(name, v) {
				return
			}
		}
	}
}
