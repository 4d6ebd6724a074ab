package lb

import "context"

// Random gives every member its chance at every call, in proportion to its weight.
type Random struct{}

var _ Picker = Random{}

// NewRandom returns a picker for the case that nothing is known about calls or servers. It has no
// state, so any number of short-lived clients spread evenly with it.
func NewRandom() Random { return Random{} }

// Pick implements [Picker].
func (Random) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	return s.sample(tried)
}
