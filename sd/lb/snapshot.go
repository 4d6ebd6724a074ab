package lb

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlb "github.com/go-kit/kit/sd/lb"

	"example.com/daytime/sd/policy"
)

// A Snapshot is the set of members that one pick chooses from. It never changes; the Pool publishes
// another one.
type Snapshot struct {
	view                         // open to a pick
	split  []policy.Side         // as the policy has it; nil without shares
	sides  []side                // of the open members; nil without shares
	tiers  [][]list              // for picks when all that are open were tried, in this order
	probes *view                 // members whose next call is a probe; nil if there are none
	zones  int                   // their number, of all that are listed or in reserve
	part   uint                  // which part of the members it is, the same in every Snapshot
	byZone atomic.Pointer[local] // made by the first pick that wants it

	closed     bool          // Close has been called: there will be no members
	superseded chan struct{} // closed when the next snapshot is there

	once      sync.Once // guards endpoints, which only Pool.Endpoints wants
	endpoints []kitendpoint.Endpoint
}

// A side is the open members that get a share of the calls.
type side struct {
	*Snapshot
	index  int     // in the policy; 0 is the rest
	until  float64 // its part ends here, the one of the side before it is where it begins
	spared bool    // a share of nothing says that it is not to be called; the rest is never
}

// newSnapshot returns a snapshot of these members: lists holds those of each rank. The reserve is
// open beside those that answer if reserveOpen; where nobody is in a rank the next one is open in
// its place. Probes are calls as well: who is not to get any while others are there gets none.
func newSnapshot(
	lists [ranks]ranked, reserveOpen bool, sides []policy.Side, zones int,
) *Snapshot {
	failing := lists[failed].with(lists[probing]).with(lists[drainedProbing])
	order := [...]ranked{lists[ready], lists[reserved], lists[drained], failing}
	if reserveOpen {
		order[0], order[1] = lists[ready].with(lists[reserved]), ranked{}
	}
	s := &Snapshot{zones: zones, superseded: make(chan struct{})}
	for _, r := range order {
		s.addTier(r.weighted)
		s.addTier(r.idle)
	}
	probes := lists[probing].beside(order[0])
	if order[0].isEmpty() && order[1].isEmpty() { // so drained ones are picked
		probes = append(probes, lists[drainedProbing].beside(lists[drained])...)
	}
	if len(sides) > 1 {
		s.split = sides
		s.sides = splitSides(s.lists, sides, zones)
		hasPart := func(l list) bool { return sides[l.side(sides)].Share > 0 }
		if slices.ContainsFunc(s.lists, hasPart) {
			probes = slices.DeleteFunc(probes, func(l list) bool { return !hasPart(l) })
		}
	}
	if len(probes) > 0 {
		v := newView(probes)
		s.probes = &v
	}
	return s
}

// side is the side on which l's members are.
func (l *list) side(sides []policy.Side) int {
	if i := l.cell.side; i >= 0 && i < len(sides) {
		return i
	}
	return 0
}

// addTier adds lists to be picked from after all before.
func (s *Snapshot) addTier(lists []list) {
	switch {
	case len(lists) == 0:
	case s.n == 0:
		s.view = newView(lists)
	default:
		s.tiers = append(s.tiers, lists)
	}
}

// A ranked holds the lists of a rank.
type ranked struct{ weighted, idle []list }

func (r ranked) isEmpty() bool { return len(r.weighted)+len(r.idle) == 0 }

func (r ranked) with(more ranked) ranked {
	if r.isEmpty() {
		return more
	}
	return ranked{
		append(slices.Clip(r.weighted), more.weighted...),
		append(slices.Clip(r.idle), more.idle...),
	}
}

// beside returns the lists of r that get calls beside those that answer: the ones of weight 0 only
// where nobody of more weight does.
func (r ranked) beside(answering ranked) []list {
	if len(answering.weighted) > 0 {
		return slices.Clone(r.weighted)
	}
	return slices.Concat(r.weighted, r.idle)
}

// splitSides returns the sides of lists that are not empty, with the part of the calls for each.
func splitSides(lists []list, of []policy.Side, zones int) (sides []side) {
	bySide := make([][]list, len(of))
	for _, l := range lists {
		i := l.side(of)
		bySide[i] = append(bySide[i], l)
	}
	parts := policy.Split(of, func(i int) bool { return len(bySide[i]) == 0 })
	until := 0.0
	for i, l := range bySide {
		if len(l) == 0 {
			continue
		}
		until += parts[i]
		s := &Snapshot{view: newView(l), zones: zones, part: uint(i+1) * zoneParts}
		sides = append(sides, side{s, i, until, i > 0 && parts[i] == 0})
	}
	return sides
}

// Len returns how many members are open to a pick.
func (s *Snapshot) Len() int { return s.n }

// At returns member i, 0 <= i < Len. The order means nothing, except that it is the same at every
// call.
func (s *Snapshot) At(i int) *Member { return s.at(i) }

// empty is the error for a snapshot without members.
func (s *Snapshot) empty() error {
	if s.closed {
		return ErrClosed
	}
	return kitlb.ErrNoEndpoints
}

// zoneParts is how many parts there are of all members, and of a side: itself, and each half of a
// local.
const zoneParts = 3

// only returns a snapshot of these lists alone, which are a part of s, or what a pick falls back on.
func (s *Snapshot) only(lists []list, part uint) *Snapshot {
	return &Snapshot{view: newView(lists), zones: s.zones, part: s.part + part}
}

// withProbes returns what s would be if those answered that are due for a probe.
func (s *Snapshot) withProbes() *Snapshot {
	all := s.only(slices.Concat(s.lists, s.probes.lists), 0)
	if len(s.sides) > 0 {
		all.sides = splitSides(all.lists, s.split, s.zones)
	}
	return all
}

// side returns the side that an attempt goes to, which is s without shares.
func (s *Snapshot) side(ctx context.Context, picker Picker, hasFailed []*Member) *Snapshot {
	if len(s.sides) == 0 {
		return s
	}
	return s.sampleSide(ctx, picker, hasFailed)
}

// sampleSide returns a side: by the call's key if the picker goes by keys, by chance otherwise; and
// when members have failed in this call, one on which none has, as long as there is one.
func (s *Snapshot) sampleSide(ctx context.Context, picker Picker, hasFailed []*Member) *Snapshot {
	sides := s.sides
	if len(hasFailed) > 0 {
		if others := otherSides(sides, hasFailed); len(others) > 0 {
			sides = others
		}
	}
	point := chance(ctx, picker, sideSalt) * sides[len(sides)-1].until
	for _, side := range sides {
		if point < side.until {
			return side.Snapshot
		}
	}
	return sides[len(sides)-1].Snapshot
}

// shared returns the sides that are not spared, together.
func (s *Snapshot) shared() *Snapshot {
	var lists []list
	for _, side := range s.sides {
		if !side.spared {
			lists = append(lists, side.lists...)
		}
	}
	if len(lists) == len(s.lists) {
		return s
	}
	return s.only(lists, 0)
}

// otherSides returns the sides on which none has failed, with the parts that they have among each
// other. One that is spared is not among them.
func otherSides(sides []side, hasFailed []*Member) (left []side) {
	from, until := 0.0, 0.0
	for _, s := range sides {
		part := s.until - from
		from = s.until
		onIt := func(m *Member) bool { return int(m.side.Load()) == s.index }
		if !s.spared && !slices.ContainsFunc(hasFailed, onIt) {
			until += part
			s.until = until
			left = append(left, s)
		}
	}
	return left
}

// The salts make the decisions about one key independent of each other.
const (
	sideSalt = 0x8EBC6AF09C88C6E3
	zoneSalt = 0x589965CC75374CC3
)

// chance returns a number of at least 0 and below 1: the key's own if picker goes by keys, or a
// random one.
func chance(ctx context.Context, picker Picker, salt uint64) float64 {
	if isSticky(picker) {
		if key, ok := ctx.Value(hashKey{}).(uint64); ok {
			return float64(mix(key, salt)>>11) / (1 << 53)
		}
	}
	return rand.Float64()
}

// isSticky reports whether picker sends calls with the same key to the same member.
func isSticky(picker Picker) bool {
	s, ok := picker.(interface{ sticky() bool })
	return ok && s.sticky()
}
