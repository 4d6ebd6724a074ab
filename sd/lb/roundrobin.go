package lb

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// RoundRobin goes through the members in turn, as often as their weights say.
type RoundRobin struct {
	next atomic.Uint64
}

var _ Picker = (*RoundRobin)(nil)

// NewRoundRobin returns a picker that starts at a random member: a thousand clients that make one
// call each spread evenly, where go-kit's all call the first.
func NewRoundRobin() *RoundRobin {
	r := new(RoundRobin)
	r.next.Store(rand.Uint64())
	return r
}

// Pick implements [Picker].
func (r *RoundRobin) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	if s.n == 0 {
		return nil
	}
	if len(tried) == 0 {
		return r.turn(s.view)
	}
	for range s.n {
		if m := r.turn(s.view); !slices.Contains(tried, m) {
			return m
		}
	}
	for m := range s.all { // others have taken the turns between
		if !slices.Contains(tried, m) {
			return m
		}
	}
	return nil
}

// turn returns the next member.
func (r *RoundRobin) turn(v *view) *Member {
	if v.even {
		return v.at(int(r.next.Add(1) % uint64(v.n)))
	}
	for {
		if m := v.spread(r.next.Add(1)); m != nil {
			return m
		}
	}
}
