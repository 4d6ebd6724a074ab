package fanout

import (
	"time"

	"example.com/daytime/sd/policy"
)

// lostFor is how long at least it is known who was lost. A follower that goes on with such an
// instance, as lb.Pool does with its reserve, does so for less.
const lostFor = 10 * time.Minute

// A memory holds those that were lost of late, with what they said of themselves: a policy that
// comes later is about them as well. It is in two generations, of which the older one is forgotten
// as a whole. The zero value is empty.
type memory struct {
	recent, older map[string]policy.Attributes
	began         time.Time // the recent one
}

// add notes that an instance is lost.
func (m *memory) add(name string, a policy.Attributes, now time.Time) {
	if m.recent == nil || now.Sub(m.began) >= lostFor {
		m.recent, m.older, m.began = map[string]policy.Attributes{}, m.recent, now
	}
	m.recent[name] = a
}

// remove notes that an instance is back.
func (m *memory) remove(name string) {
	delete(m.recent, name)
	delete(m.older, name)
}

// evaluate returns what a policy makes of them.
func (m *memory) evaluate(p *policy.Policy) map[string]policy.Effective {
	values := map[string]policy.Effective{}
	for _, some := range []map[string]policy.Attributes{m.older, m.recent} {
		for name, a := range some {
			values[name] = p.Effective(policy.Entry{Instance: name, Attributes: a})
		}
	}
	return values
}
