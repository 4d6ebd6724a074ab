package lb

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/policy"
)

// EWMA prefers members that answer fast.
type EWMA struct{}

var _ Picker = EWMA{}

// NewEWMA returns a picker that draws two members, in proportion to their weights, and takes the
// one with the lower cost: latency times calls in flight, counted for a weight of 100. Latency is a
// moving average over about 10 s that jumps to every peak and comes down slowly (Finagle's
// peak-EWMA), and decays while a member is idle, so that a slow one is asked again after a while.
func NewEWMA() EWMA { return EWMA{} }

// Pick implements [Picker].
func (EWMA) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	a, b := s.sampleTwo(tried)
	if a == b {
		return a
	}
	costA, costB := a.cost(), b.cost()
	if costB < costA {
		a = b
	}
	return a
}

// cost is the binary logarithm of latency times calls, up to a term that is the same for all
// members at any moment: log2(latency) + now/halving, which is stored, plus log2(calls). A member
// without an answer is taken at once, but not twice: the second call waits for the answer to the
// first.
func (m *Member) cost() float64 {
	calls := m.calls.Load()
	bits := m.latency.bits.Load()
	switch {
	case bits != 0:
		return math.Float64frombits(^bits) + roughLog2(m.load(calls))
	case calls == 0:
		return -unheard
	default:
		return unheard + roughLog2(m.load(calls))
	}
}

// load is the calls in flight, and this one, as they would be at a weight of 100. Without calls it
// is 1 whatever the weight: two idle members are as fast as their latencies say.
func (m *Member) load(calls int64) float64 {
	if calls == 0 {
		return 1
	}
	return 1 + float64(calls*policy.DefaultWeight)/float64(max(m.weight.Load(), 1))
}

// roughLog2 is log2(x), never more than 0.09 too low, for x of at least 1; math.Log2 takes as long
// as the rest of a pick.
//
// A float64 is (1+f) * 2^e. Its bits, read as an integer, are e+1023 in the upper 12 and f*2^52 in
// the lower 52, so that divided by 2^52 they are e+1023+f. That lacks log2(1+f) by log2(1+f)-f,
// which is 0 at powers of two and 0.086 at most, between them.
func roughLog2(x float64) float64 {
	return float64(int64(math.Float64bits(x)))/(1<<52) - 1023
}

// unheard is beyond the cost of any latency.
const unheard = 1e9

const (
	// halving is the time in which an average loses half its weight, in nanoseconds: 10 s of
	// e-folding.
	halving = float64(10*time.Second) * math.Ln2
	// minFailedLatency is the least that a failed call counts as: an instance that fails at once is
	// not a fast one.
	minFailedLatency = float64(time.Second)
)

// A latencyAverage loses half its weight each halving: at time t the average of an observation x
// made at time t0 is x * 2^-((t-t0)/halving).
//
// The stored value is the logarithm of that, without its dependence on t: log2(x) + t0/halving. The
// average at t is 2^(stored - t/halving). So the stored value does not change while nothing is
// observed, and of two members the one with the lower stored value has the lower average at any t:
// picks compare these, without a clock and without an exponential.
type latencyAverage struct {
	// bits are those of the float64, complemented, so that 0, the initial value, which no
	// observation has, stands for none.
	bits atomic.Uint64

	mu sync.Mutex // serializes observe, and guards at
	at int64      // of the latest observation
}

// value is the average as it has decayed by now.
func (a *latencyAverage) value(now int64) float64 {
	bits := a.bits.Load()
	if bits == 0 {
		return 0
	}
	return math.Exp2(math.Float64frombits(^bits) - float64(now)/halving)
}

// observe takes a latency in: a peak at once, anything lower gradually.
func (a *latencyAverage) observe(now int64, latency float64) { a.weigh(now, latency, latency) }

// fail takes in a call that failed after latency, gradually as minFailedLatency: a few failures
// among many calls leave a member about as it was.
func (a *latencyAverage) fail(now int64, latency float64) {
	a.weigh(now, latency, max(latency, minFailedLatency))
}

// weigh makes the average peak at least, and takes sample in with the weight of the time since the
// last one: that which the old average has lost meanwhile.
func (a *latencyAverage) weigh(now int64, peak, sample float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := 1 - math.Exp2(-float64(max(now-a.at, 0))/halving)
	average := max(peak, a.value(now)+sample*fresh, 1)
	a.bits.Store(^math.Float64bits(math.Log2(average) + float64(now)/halving))
	a.at = now
}

// forget makes it as if nothing had been observed.
func (a *latencyAverage) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bits.Store(0)
	a.at = 0
}

// copy takes over the observations of another average.
func (a *latencyAverage) copy(from *latencyAverage) {
	from.mu.Lock()
	defer from.mu.Unlock()
	a.bits.Store(from.bits.Load())
	a.at = from.at
}
