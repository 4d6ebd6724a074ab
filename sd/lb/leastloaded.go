package lb

import "context"

// LeastLoaded prefers members with few calls in flight.
type LeastLoaded struct{}

var _ Picker = LeastLoaded{}

// NewLeastLoaded returns a picker that draws two members, in proportion to their weights, and takes
// the one with fewer calls in flight for its weight. Two are enough: a look at all would cost more,
// and send all clients to the same idle one. (M. Mitzenmacher, The Power of Two Choices in
// Randomized Load Balancing, 2001.)
func NewLeastLoaded() LeastLoaded { return LeastLoaded{} }

// Pick implements [Picker].
func (LeastLoaded) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	a, b := s.sampleTwo(tried)
	if a == b {
		return a
	}
	callsA, callsB := a.calls.Load(), b.calls.Load()
	if !s.even {
		callsA *= int64(b.weight.Load()) // calls for each unit of weight, times both weights
		callsB *= int64(a.weight.Load())
	}
	if callsB < callsA {
		a = b
	}
	return a
}
