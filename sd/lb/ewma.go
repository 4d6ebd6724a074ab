package lb

import (
	"context"
	"math"

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
// members at any moment: the stored value of the latency's average, plus log2(calls). A member
// without an answer is taken at once, but not twice: the second call waits for the answer to the
// first.
func (m *Member) cost() float64 {
	calls := m.calls.Load()
	stored, heard := m.latency.Stored()
	switch {
	case heard:
		return stored + roughLog2(m.load(calls))
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
