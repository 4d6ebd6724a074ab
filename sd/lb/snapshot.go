package lb

import (
	"sync"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// A Snapshot is the set of members that one pick chooses from. It never changes; the Pool publishes
// another one.
type Snapshot struct {
	open  []list // what Len and At show
	n     int
	tiers [][]list // what is picked when all in open were tried, in this order

	probes     list          // members whose next call is a probe
	closed     bool          // Close has been called: there will be no members
	superseded chan struct{} // closed when the next snapshot is there

	once      sync.Once // guards endpoints, which only Pool.Endpoints wants
	endpoints []kitendpoint.Endpoint
}

// newSnapshot returns the snapshot of these lists. The reserve is open beside those that answer when
// fewer than half are listed, as far as breaker trusts it; where a list is empty the next one is
// open in its place.
func newSnapshot(lists [partitions]list, reserveOpen bool) *Snapshot {
	tiers := [][]list{{lists[ready]}, {lists[reserved]}, {lists[failed], lists[probing]}}
	if reserveOpen {
		tiers = [][]list{{lists[ready], lists[reserved]}, {lists[failed], lists[probing]}}
	}
	for len(tiers) > 1 && length(tiers[0]) == 0 {
		tiers = tiers[1:]
	}
	return &Snapshot{
		open:       tiers[0],
		n:          length(tiers[0]),
		tiers:      tiers[1:],
		probes:     lists[probing],
		superseded: make(chan struct{}),
	}
}

func length(lists []list) (n int) {
	for _, l := range lists {
		n += l.n
	}
	return n
}

// Len returns how many members are open to a pick.
func (s *Snapshot) Len() int { return s.n }

// At returns member i, 0 <= i < Len. The order means nothing, except that it is the same at every
// call.
func (s *Snapshot) At(i int) *Member {
	if first := &s.open[0]; i < first.n {
		return first.at(i)
	}
	return s.beyond(i - s.open[0].n)
}

// beyond continues At past the first list.
func (s *Snapshot) beyond(i int) *Member {
	for _, l := range s.open[1:] {
		if i < l.n {
			return l.at(i)
		}
		i -= l.n
	}
	panic("lb: index beyond the snapshot")
}

// runs yields all open members, in chunks of which the first n count: a fraction of the time that At
// takes for each.
func (s *Snapshot) runs(yield func(c *chunk, n int) bool) {
	for _, l := range s.open {
		for left := l.n; left > 0; left -= span {
			if !yield(l.chunks[(l.n-left)/span], min(left, span)) {
				return
			}
		}
	}
}

// only returns a snapshot of these lists alone, for a pick that falls back on them.
func (s *Snapshot) only(lists []list) *Snapshot { return &Snapshot{open: lists, n: length(lists)} }
