package lb

import "context"

// LeastLoaded prefers members with few calls in flight.
type LeastLoaded struct{}

var _ Picker = LeastLoaded{}

// NewLeastLoaded returns a picker that draws two members and takes the one with fewer calls in flight. Two are enough:
// looking at all would cost more, and send everybody to the same idle one.
func NewLeastLoaded() LeastLoaded { return LeastLoaded{} }

// Pick implements [Picker].
func (LeastLoaded) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	a, b := drawTwo(s, tried)
	if a != b && b.calls.Load() < a.calls.Load() {
		return b
	}
	return a
}
