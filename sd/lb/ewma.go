package lb

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// EWMA prefers members that answer fast.
type EWMA struct{}

var _ Picker = EWMA{}

// NewEWMA returns a picker that draws two members and takes the one with the lower cost: latency times calls in flight.
// Latency is a moving average over about 10 s that jumps to every peak and comes down slowly (Finagle's peak-EWMA), and
// decays while a member is idle, so that a slow one is asked again after a while.
func NewEWMA() EWMA { return EWMA{} }

// Pick implements [Picker].
func (EWMA) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	a, b := drawTwo(s, tried)
	if a != b && b.cost() < a.cost() {
		return b
	}
	return a
}

// cost is the binary logarithm of latency times calls, up to a term that is the same for all members at any moment. A
// member without an answer is taken at once, but not twice: the second call waits for what the first finds out.
func (m *Member) cost() float64 {
	calls := m.calls.Load()
	bits := m.latency.bits.Load()
	switch {
	case bits != 0:
		return math.Float64frombits(^bits) + roughLog2(calls+1)
	case calls == 0:
		return -unheard
	default:
		return unheard + roughLog2(calls+1)
	}
}

// roughLog2 reads the bits of a float64 as the logarithm that they nearly are: exact at powers of two, linear between,
// never more than 0.09 too low. math.Log2 takes as long as the rest of a pick.
func roughLog2(n int64) float64 {
	return float64(int64(math.Float64bits(float64(n))))/(1<<52) - 1023
}

// unheard is beyond the cost of any latency.
const unheard = 1e9

const (
	// halving is the time in which an average loses half its weight, in nanoseconds; Finagle's 10 s of e-folding.
	halving = float64(10*time.Second) * math.Ln2
	// latencyFailure is the least that a failed call counts as: an instance that fails at once is not a fast one.
	latencyFailure = float64(time.Second)
)

// A latencyAverage loses half its weight each halving. What is stored is its binary logarithm plus now/halving, which
// does not change while nothing is observed: picks compare it without a clock and without an exponential.
type latencyAverage struct {
	bits atomic.Uint64 // of the float64, complemented; 0, the initial value, stands for no observation

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

// fail takes in a call that failed after latency, gradually as latencyFailure: a few failures among many calls leave a
// member about as it was.
func (a *latencyAverage) fail(now int64, latency float64) {
	a.weigh(now, latency, max(latency, latencyFailure))
}

// weigh makes the average peak at least, and takes sample in with the weight of the time since the last one.
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

// copy takes over what another average has observed.
func (a *latencyAverage) copy(from *latencyAverage) {
	from.mu.Lock()
	defer from.mu.Unlock()
	a.bits.Store(from.bits.Load())
	a.at = from.at
}
