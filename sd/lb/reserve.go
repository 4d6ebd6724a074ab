package lb

import "time"

const (
	trustRow   = 3 // failures in the reserve, one after the other, after which the registry is believed
	mistrustIn = int64(time.Second)
	mistrustTo = int64(10 * time.Second)
)

// A trust is what the Pool thinks of its reserve. The reserve is open to picks when the registry has lost half of the
// instances, because a registry that fails loses those that live. But many may have left for good, one after the other:
// where those in reserve fail, the registry was right, and picks keep to the listed ones for a while. The Pool's lock
// guards it.
type trust struct {
	row   int   // failures since the last answer from the reserve
	last  int64 // when the latest was
	pause int64 // the last one
	until int64 // no trust before
}

// in reports whether the reserve is trusted.
func (t *trust) in(now int64) bool { return now >= t.until }

// failed takes in that a member in reserve failed, and returns until when there is no trust, or 0 if there is still. What
// is older than memory says nothing about those that are in reserve now.
func (t *trust) failed(now, memory int64) (until int64) {
	if now-t.last > memory {
		*t = trust{}
	}
	t.last = now
	if t.row++; t.row < trustRow || now < t.until {
		return 0
	}
	t.pause = min(max(2*t.pause, mistrustIn), mistrustTo)
	t.until = now + t.pause
	return t.until
}

// answered takes in that a member in reserve answered.
func (t *trust) answered() { *t = trust{} }

// regain takes in that m answered, while there is doubt about the reserve.
func (p *Pool) regain(m *Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.place == reserve {
		p.trust.answered()
		p.publish()
	}
}
