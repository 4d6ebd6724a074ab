package lb

import (
	"math/rand/v2"
	"slices"

	"example.com/daytime/sd/lb/internal/alias"
)

// A view is a set of members to draw from.
type view struct {
	lists   []list // none is empty
	n       int
	total   uint64      // of the weights
	even    bool        // all weights are equal
	flat    table       // of the only list, if its weights are equal; nil otherwise
	aliases alias.Table // for draw, of the lists; nil if there is one
	forks   []fork      // for turn; nil if there is one list, or all weights are equal
}

func newView(lists []list) view {
	v := view{lists: lists, even: true}
	for i := range lists {
		l := &lists[i]
		v.n += l.n
		v.total += l.total
		// All weights are equal if they are in each list, and between lists.
		v.even = v.even && l.even && l.total*uint64(lists[0].n) == lists[0].total*uint64(l.n)
	}
	switch {
	case len(lists) > 1:
		weights := make([]uint64, len(lists))
		for i := range lists {
			weights[i] = lists[i].total
		}
		v.aliases = alias.New(weights)
		if !v.even {
			v.addFork(0, len(lists))
		}
	case len(lists) == 1 && v.even:
		v.flat = lists[0].chunks
	}
	return v
}

// draw returns a member, with a chance in proportion to its weight; r is random. The view must not
// be empty.
func (v *view) draw(r uint64) *Member { return v.list(uint32(r >> 32)).draw(uint32(r)) }

// list returns a list, with a chance in proportion to its weight; r is random.
func (v *view) list(r uint32) *list {
	if v.aliases == nil {
		return &v.lists[0]
	}
	return &v.lists[v.aliases.Draw(r)]
}

// sample returns a member outside tried, with a chance in proportion to its weight, or nil.
func (v *view) sample(tried []*Member) *Member {
	if v.n == 0 {
		return nil
	}
	r := rand.Uint64()
	if len(tried) == 0 {
		return v.draw(r)
	}
	for range 8 {
		if m := v.draw(r); !slices.Contains(tried, m) {
			return m
		}
		r = remix(r)
	}
	return v.sampleRest(tried)
}

// sampleRest is sample when nearly all of the weight was tried, and drawing again and again leads
// nowhere: it looks at all members.
func (v *view) sampleRest(tried []*Member) (chosen *Member) {
	total := uint64(0)
	for m, weight := range v.all {
		if slices.Contains(tried, m) {
			continue
		}
		total += uint64(weight)
		if rand.Uint64N(total) < uint64(weight) { // so that each is left with its share in the end
			chosen = m
		}
	}
	return chosen
}

// all yields every member with its weight in a draw.
func (v *view) all(yield func(m *Member, weight uint16) bool) {
	for c, n := range v.runs {
		for i, m := range c.members[:n] {
			if !yield(m, c.weights[i]) {
				return
			}
		}
	}
}

// sampleTwo returns two different members outside tried, or the same one twice if there is only
// one, or if one has nearly all of the weight. One random number serves both: 32 bits each.
func (v *view) sampleTwo(tried []*Member) (*Member, *Member) {
	if len(tried) > 0 || v.n < 2 {
		return v.sample(tried), v.sample(tried)
	}
	r, n := rand.Uint64(), uint64(v.n)
	if v.flat != nil {
		i := r >> 32 * n >> 32
		j := r & (1<<32 - 1) * (n - 1) >> 32
		step := uint64(0)
		if j >= i { // as often as not: no jump, which no processor could predict
			step = 1
		}
		return v.flat.at(int(i)), v.flat.at(int(j + step))
	}
	s := remix(r)
	a, b := v.list(uint32(r>>32)).draw(uint32(s>>32)), v.list(uint32(r)).draw(uint32(s))
	for range 3 {
		if a != b {
			break
		}
		s = remix(s)
		b = v.draw(s)
	}
	return a, b
}

// runs yields all members, in chunks of which the first n count: a fraction of the time that at
// takes for each.
func (v *view) runs(yield func(c *chunk, n int) bool) {
	for i := range v.lists {
		l := &v.lists[i]
		for left := l.n; left > 0; left -= span {
			if !yield(l.chunks[(l.n-left)/span], min(left, span)) {
				return
			}
		}
	}
}

// at returns member i.
func (v *view) at(i int) *Member {
	if first := &v.lists[0]; i < first.n {
		return first.chunks.at(i)
	}
	return v.beyond(i)
}

// beyond is at for a member that is not in the first list.
func (v *view) beyond(i int) *Member {
	for l := range v.lists {
		if i < v.lists[l].n {
			return v.lists[l].chunks.at(i)
		}
		i -= v.lists[l].n
	}
	panic("lb: index beyond the snapshot")
}
