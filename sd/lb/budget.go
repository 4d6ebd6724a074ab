package lb

import (
	"sync"
	"time"
)

// budgetSeconds is how many seconds' worth a budget may save.
const budgetSeconds = 10

// A budget says how many retries may be made, so that they cannot multiply an outage: over any time, a share of the calls
// plus some for each second plus what was saved. Finagle's, with a plain token bucket.
type budget struct {
	ratio, perSecond float64

	mu     sync.Mutex
	tokens float64
	at     time.Time // when tokens was right
}

func newBudget(ratio, perSecond float64) *budget {
	return &budget{ratio: ratio, perSecond: perSecond, tokens: budgetSeconds * perSecond, at: time.Now()}
}

// deposit counts a call.
func (b *budget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	b.tokens = min(b.tokens+b.ratio, b.limit())
}

// withdraw asks for a retry.
func (b *budget) withdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// refill adds what time has brought. The caller holds mu.
func (b *budget) refill() {
	now := time.Now()
	b.tokens = min(b.tokens+b.perSecond*now.Sub(b.at).Seconds(), b.limit())
	b.at = now
}

// limit allows one retry at least, or a small ratio alone could never save up for any.
func (b *budget) limit() float64 { return max(budgetSeconds*b.perSecond, 1) }
