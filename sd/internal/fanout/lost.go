package fanout

import "time"

// lostFor is how long at least it is known who was lost. A follower that goes on with such an
// instance, as lb.Pool does with its reserve, does so for less.
const lostFor = 10 * time.Minute

// A Memory holds a value of each instance that was lost of late: a policy that comes later is about
// it as well. It is in two generations, of which the older one is forgotten as a whole. The zero
// value is empty.
type Memory[V any] struct {
	recent, older map[string]V
	began         time.Time // the recent one
}

// Put notes that an instance is lost, or has another value.
func (m *Memory[V]) Put(name string, v V, now time.Time) {
	if m.recent == nil || now.Sub(m.began) >= lostFor {
		m.recent, m.older, m.began = map[string]V{}, m.recent, now
	}
	m.recent[name] = v
}

// Remove notes that an instance is back.
func (m *Memory[V]) Remove(name string) {
	delete(m.recent, name)
	delete(m.older, name)
}

// Get returns the value of an instance, if it was lost.
func (m *Memory[V]) Get(name string) (v V, lost bool) {
	if v, lost = m.recent[name]; !lost {
		v, lost = m.older[name]
	}
	return v, lost
}
