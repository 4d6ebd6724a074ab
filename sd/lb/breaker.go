package lb

import "time"

const (
	maxReserveFailures = 3 // in a row, after which the registry is believed
	minPause           = int64(time.Second)
	maxPause           = int64(10 * time.Second)
)

// A breaker decides whether the reserve is open to picks. It is when the registry has lost half of
// the instances, because a registry that fails loses instances that live. But many may have left
// for good, one after the other: where those in reserve fail, the registry was right, and picks
// keep to the listed ones for a pause, which doubles each time. The Pool's lock guards it.
type breaker struct {
	failures int   // in the reserve, since its last answer
	failedAt int64 // when the latest was
	pause    int64 // the last one
	until    int64 // no trust before
}

// trusts reports whether the reserve may be open.
func (b *breaker) trusts(now int64) bool { return now >= b.until }

// recordFailure counts a failure of a member in reserve, and returns the end of the pause that it
// begins, or 0 if there is none. Failures older than memory say nothing about those that are in
// reserve now.
func (b *breaker) recordFailure(now, memory int64) (until int64) {
	if now-b.failedAt > memory {
		*b = breaker{}
	}
	b.failedAt = now
	if b.failures++; b.failures < maxReserveFailures || now < b.until {
		return 0
	}
	b.pause = min(max(2*b.pause, minPause), maxPause)
	b.until = now + b.pause
	return b.until
}

// resetBreaker trusts the reserve again, after an answer of m, if m is in it.
func (p *Pool) resetBreaker(m *Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.presence == reserve {
		p.breaker, p.changed = breaker{}, true
		p.publish()
	}
}
