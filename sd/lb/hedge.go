package lb

import (
	"context"
	"math/bits"
	"sync"
	"time"
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
	budget    *budget
	latencies latencies
}

// newHedger returns one that saves nothing up: hedges all at once would finish off a fleet that is
// short of capacity.
func newHedger(ratio float64) *hedger { return &hedger{budget: newBudget(ratio, 0, 0)} }

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
	if d := r.hedger.latencies.late(share); d < share {
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
	if !r.hedger.budget.withdraw() || !m.begin() {
		return a
	}
	return r.prepare(c, attempt{member: m})
}

const (
	minLatencies = 100  // before the quantile means anything
	maxLatencies = 2000 // then all counts are halved, and with them the weight of the past
	octaveSteps  = 8    // buckets between d and 2d, so that a latency is known to 1/8
)

// latencies is a histogram with buckets that grow with the latency.
type latencies struct {
	mu      sync.Mutex
	total   int
	buckets [64 * octaveSteps]int
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buckets[bucket(d)]++
	if l.total++; l.total < maxLatencies {
		return
	}
	l.total = 0
	for i := range l.buckets {
		l.buckets[i] /= 2
		l.total += l.buckets[i]
	}
}

// late is the latency that 95 of 100 stay below, or longest while that is not known.
func (l *latencies) late(longest time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total < minLatencies {
		return longest
	}
	above := l.total / 20
	for i := len(l.buckets) - 1; i >= 0; i-- {
		if above -= l.buckets[i]; above < 0 {
			return min(upperEnd(i), longest)
		}
	}
	return longest
}

// bucket is the octave of d, its power of two, and the step within.
func bucket(d time.Duration) int {
	n := uint64(max(d, octaveSteps))
	octave := bits.Len64(n) - 1
	return octave*octaveSteps + int(n>>(octave-3))%octaveSteps
}

// upperEnd is where bucket i ends.
func upperEnd(i int) time.Duration {
	octave, step := i/octaveSteps, i%octaveSteps
	return time.Duration(octaveSteps+step+1) << (octave - 3)
}
