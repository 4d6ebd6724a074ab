package lb

import (
	"context"
	"time"

	"example.com/daytime/sd/lb/internal/budget"
	"example.com/daytime/sd/lb/internal/latency"
)

// Hedge has an attempt that takes longer than 95 of 100 joined by a second one elsewhere; the first
// answer counts, and the other attempt is cancelled. At most ratio of the calls get one, and none
// before 100 latencies were seen. The default is 0, no hedging; 0.1 is usual. A ratio above 0 says
// that calls are [Idempotent].
//
// A hedge counts as one of the Attempts. A panic of the endpoint reaches the caller if it still
// waits for an answer.
func Hedge(ratio float64) RetryOption {
	return func(c *retryConfig) {
		c.hedge = ratio
		c.idempotent = c.idempotent || ratio > 0
	}
}

// A hedger decides when a second attempt is worth it.
type hedger struct {
	budget    *budget.Budget
	latencies latency.Histogram
}

// newHedger returns one that saves nothing up: hedges all at once would finish off a fleet that is
// short of capacity.
func newHedger(ratio float64) *hedger { return &hedger{budget: budget.New(ratio, 0, 0)} }

// stoppedTimer returns a timer that does not run.
func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// resetHedge starts the timer for an attempt, unless its share is over first.
func (r *retrier) resetHedge(t *time.Timer, share time.Duration) {
	if r.hedger == nil {
		return
	}
	t.Stop() // that of the attempt before
	if d := r.hedger.latencies.Late(share); d < share {
		t.Reset(d)
	}
}

// hedge returns a second attempt. It has no member if there is none against which nothing speaks,
// or the budget does not allow it.
func (r *retrier) hedge(ctx context.Context, c *call) (a attempt) {
	if r.mayBegin(ctx, c) != nil {
		return a
	}
	side := r.pool.snapshot.Load().side(ctx, r.picker, c.hasFailed)
	m := r.picker.Pick(ctx, side, c.tried)
	if m == nil || m.warming.Load() || m.failures.Load() > 0 {
		return a
	}
	if !r.hedger.budget.Withdraw() || !m.begin() {
		return a
	}
	return r.prepare(c, attempt{member: m})
}
