package lb

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// RoundRobin goes through the members in turn.
type RoundRobin struct {
	next atomic.Uint64
}

var _ Picker = (*RoundRobin)(nil)

// NewRoundRobin returns a picker that starts at a random member: a thousand clients that make one call each spread
// evenly, where go-kit's all call the first.
func NewRoundRobin() *RoundRobin {
	r := new(RoundRobin)
	r.next.Store(rand.Uint64())
	return r
}

// Pick implements [Picker].
func (r *RoundRobin) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	n := uint64(s.Len())
	for range n {
		m := s.At(int(r.next.Add(1) % n))
		if !slices.Contains(tried, m) {
			return m
		}
	}
	for i := range s.Len() { // others have taken the turns between
		if m := s.At(i); !slices.Contains(tried, m) {
			return m
		}
	}
	return nil
}
