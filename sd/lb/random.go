package lb

import "context"

// Random gives every member the same chance at every call.
type Random struct{}

var _ Picker = Random{}

// NewRandom returns a picker for the case that nothing is known about calls or servers. It has no state, so it is the one that
// any number of short-lived clients spread evenly with.
func NewRandom() Random { return Random{} }

// Pick implements [Picker].
func (Random) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member { return draw(s, tried) }
