package lb

import (
	"context"
	"math/bits"
	"sync"
	"time"
)

// Hedge has an attempt that takes longer than 95 of 100 joined by a second one elsewhere; the first answer counts, and
// the other attempt is cancelled. At most ratio of the calls get one, and none before 100 latencies were seen. The default is
// 0, no hedging; 0.1 is usual. Attempts then run in goroutines of their own, which Pool.Close awaits.
//
// Calls must be safe to make twice, but that holds for Retry altogether. A hedge counts as one of the Attempts. A member
// that hangs is made good for by hedges and not found out by them: as long as it is rare, it goes on costing some. A panic
// of the endpoint reaches the caller if he still waits for an answer.
func Hedge(ratio float64) RetryOption { return func(c *retryConfig) { c.hedge = ratio } }

// A hedger decides when a second attempt is worth it.
type hedger struct {
	budget    *budget
	latencies latencies
}

// newHedger returns one that saves nothing up: hedges all at once would be an outage's last straw.
func newHedger(ratio float64) *hedger { return &hedger{budget: newBudget(ratio, 0, 0)} }

type result struct {
	member   *Member
	response any
	err      error
	panicked any
}

// hedged is attempt with hedging. It returns when one of the two has answered or both have failed.
func (r *retrier) hedged(ctx context.Context, c *call, m *Member, request any) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 2) // so that the slower one never waits
	go r.race(ctx, c.share, m, request, results)
	var late <-chan time.Time
	if d := r.hedger.latencies.late(c.share); d < c.share {
		timer := time.NewTimer(d)
		defer timer.Stop()
		late = timer.C
	}
	for running := 1; ; {
		select {
		case <-late:
			if other := r.second(ctx, c, m); other != nil {
				running++
				go r.race(ctx, c.share, other, request, results)
			}
		case end := <-results:
			running--
			if end.panicked != nil {
				panic(end.panicked) // where the caller can recover, as without hedging
			}
			if end.err == nil {
				c.answeredBy = end.member.instance
				return end.response, nil
			}
			c.failed(end.member, end.err)
			if running == 0 {
				return nil, end.err
			}
		}
	}
}

// race runs one of two attempts, and notes how long it took, or would at least have taken when it was cancelled.
func (r *retrier) race(ctx context.Context, share time.Duration, m *Member, request any, results chan<- result) {
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	end := result{member: m, err: errPanicked} // what stands if the endpoint does not return
	defer func() {
		end.panicked = recover()
		results <- end
	}()
	start := time.Now()
	end.response, end.err = r.pool.invoke(ctx, m, request, r.brief(ctx))
	if end.err == nil || ctx.Err() != nil {
		r.hedger.latencies.add(time.Since(start))
	}
}

// second returns a member for the second attempt, with the call on it begun, if there is a good one and the budget allows.
// One that there is something against is not a good one.
func (r *retrier) second(ctx context.Context, c *call, first *Member) *Member {
	if r.config.attempts > 0 && c.begun >= r.config.attempts {
		return nil
	}
	tried := append(c.tried[:len(c.tried):len(c.tried)], first)
	m := r.picker.Pick(ctx, r.pool.snapshot.Load(), tried)
	if m == nil || m.caution.Load() != 0 || !r.hedger.budget.withdraw() || !m.begin() {
		return nil
	}
	c.begun++
	return m
}

const (
	latenciesMin = 100  // before the quantile means anything
	latenciesMax = 2000 // then all counts are halved, and with them the weight of the past
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
	if l.total++; l.total < latenciesMax {
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
	if l.total < latenciesMin {
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
