package lb

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// RoundRobin goes through the members in turn, as often as their weights say. Each part of them, a
// side or a zone, has turns of its own. With turns in common a part would get some of them by
// chance; but a turn that is nobody's is followed by the next one, which at any place falls on the
// same member, so that only a part that gets all of them deals them out by weight.
type RoundRobin struct {
	next [turnCounters]atomic.Uint64 // by part, modulo their number
}

// turnCounters is enough for 20 sides. With more, two share a counter.
const turnCounters = 64

var _ Picker = (*RoundRobin)(nil)

// NewRoundRobin returns a picker that starts at a random member: a thousand clients that make one
// call each spread evenly, where go-kit's all call the first.
func NewRoundRobin() *RoundRobin {
	r := new(RoundRobin)
	for i := range r.next {
		r.next[i].Store(uint64(rand.Uint32()))
	}
	return r
}

// Pick implements [Picker].
func (r *RoundRobin) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	next := &r.next[s.part%turnCounters]
	if len(tried) == 0 && s.flat != nil {
		return s.flat.at(int(next.Add(1) % uint64(s.n)))
	}
	if len(tried) == 0 && s.forks != nil {
		if m := s.turn(next.Add(1)); m != nil {
			return m
		}
	}
	if s.n == 0 {
		return nil
	}
	for range s.n {
		if m := s.takeTurn(next); !slices.Contains(tried, m) {
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

// takeTurn returns the next member.
func (v *view) takeTurn(next *atomic.Uint64) *Member {
	if v.even {
		return v.at(int(next.Add(1) % uint64(v.n)))
	}
	for {
		if m := v.turn(next.Add(1)); m != nil {
			return m
		}
	}
}

// A fork divides turns between two groups of lists. Turn n goes to the first if the integer part of
// n*first goes up with it: so each group has its turns at even distances, and knows by n alone how
// many it had before. (Such sequences of two symbols are Sturmian words.)
type fork struct {
	first uint64 // the first group's part of the turns, of 1<<64
	next  [2]int // another fork, or the complement of a list
}

// addFork adds the forks for lists[from:to], each with about half of the turns on either side, and
// returns the index of the first, or the complement of the only list's.
func (v *view) addFork(from, to int) int {
	if to-from == 1 {
		return ^from
	}
	all := uint64(0)
	for i := range v.lists[from:to] {
		all += v.lists[from+i].turns()
	}
	middle, first := from+1, v.lists[from].turns()
	for ; middle < to-1 && 2*first < all; middle++ {
		first += v.lists[middle].turns()
	}
	at := len(v.forks)
	part, _ := bits.Div64(first, 0, all)
	v.forks = append(v.forks, fork{first: part})
	next := [2]int{v.addFork(from, middle), v.addFork(middle, to)}
	v.forks[at].next = next // only now: the calls append to forks
	return at
}

// turn returns the member whose turn is n, or nil if it is nobody's, which less than every second
// one is. It takes about log2(lists) steps, fewer to the lists that have most of the turns.
func (v *view) turn(n uint64) *Member {
	at := 0
	if len(v.forks) == 0 {
		at = ^0
	}
	for at >= 0 {
		f := &v.forks[at]
		before, rest := bits.Mul64(n, f.first)
		if rest+f.first < rest {
			n, at = before, f.next[0]
		} else {
			n, at = n-before, f.next[1]
		}
	}
	l := &v.lists[^at]
	if l.even {
		return l.chunks.at(int(n % uint64(l.n)))
	}
	return l.turnUneven(n)
}

// turns is how many turns the list has in a round: one for each unit of weight, and, if the weights
// differ, of the room to their bound.
func (l *list) turns() uint64 {
	if l.even {
		return l.total
	}
	return uint64(l.n) * l.bound
}

// turn returns the member whose turn is n, among those of the list, or nil if it is nobody's.
//
// Members of one weight come one after the other. If the weights differ, each member has as many
// places as the bound, of which it occupies as many as its weight, and the turns go over the places
// by the multiples of the golden ratio, modulo the whole: any N successive ones leave no interval
// with more or fewer than its share of N, give or take a few (Knuth, The Art of Computer
// Programming, volume 3, section 6.4).
func (l *list) turnUneven(n uint64) *Member {
	place, _ := bits.Mul64(n*0x9E3779B97F4A7C15, l.turns())
	i := place / l.bound
	c := l.chunks[i/span]
	if place%l.bound < uint64(c.weights[i%span]) {
		return c.members[i%span]
	}
	return nil
}
