// Package budget bounds the further attempts of all calls together.
package budget

import (
	"math"
	"sync"
	"time"
)

// A Budget bounds the further attempts of all calls together, so that they cannot multiply an
// outage: over any time, a ratio of the calls, plus some for each second, plus the savings, which
// are seconds' worth of both at most. It is Finagle's, with a token bucket.
type Budget struct {
	ratio, perSecond, seconds float64

	mu     sync.Mutex
	tokens float64
	calls  float64   // of late: each loses its weight over seconds
	at     time.Time // when tokens and calls were right
}

// New returns a Budget with its savings: so many seconds' worth.
func New(ratio, perSecond, seconds float64) *Budget {
	return &Budget{
		ratio: ratio, perSecond: perSecond, seconds: seconds,
		tokens: seconds * perSecond, at: time.Now(),
	}
}

// Deposit counts a call.
func (b *Budget) Deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	b.calls++
	b.tokens = min(b.tokens+b.ratio, b.limit())
}

// Withdraw asks for a further attempt. It does not block.
func (b *Budget) Withdraw() bool { return b.take(0) }

// WithdrawSpare is Withdraw for an attempt without which the call may end well. It leaves a second's
// worth of the savings to those that have failed.
func (b *Budget) WithdrawSpare() bool { return b.take(1) }

// take withdraws an attempt, and leaves so many seconds' worth of what may be saved.
func (b *Budget) take(leave float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	if b.tokens < 1+leave*(b.limit()-1)/max(b.seconds, 1) {
		return false
	}
	b.tokens--
	return true
}

// refill adds the tokens of the time that has passed. The caller holds mu.
func (b *Budget) refill() {
	now := time.Now()
	passed := now.Sub(b.at).Seconds()
	if b.seconds > 0 {
		b.calls *= math.Exp(-passed / b.seconds)
	}
	b.tokens = min(b.tokens+b.perSecond*passed, b.limit())
	b.at = now
}

// limit allows one retry at least, or a small ratio alone could never save up for any.
func (b *Budget) limit() float64 {
	if b.seconds == 0 {
		return 1
	}
	return max(b.seconds*b.perSecond+b.ratio*b.calls, 1)
}
