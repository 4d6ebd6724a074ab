package sd

import (
	"slices"
	"sync"
)

// A roster is the current set of instances. A change costs the change. The
// owner's lock guards it.
type roster struct {
	members map[string]struct{}
	whole   []string // the same, until the first difference
}

// apply takes c in and returns what really changed: a Reset that repeats the
// set changes nothing, nor does an instance that came and went.
func (r *roster) apply(c Change) (up, down []string) {
	if c.Reset {
		return r.replace(c.Up)
	}
	for _, s := range c.Down {
		if _, ok := r.members[s]; ok {
			delete(r.members, s)
			down = append(down, s)
		}
	}
	for _, s := range c.Up {
		if _, ok := r.members[s]; !ok {
			r.members[s] = struct{}{}
			up = append(up, s)
		}
	}
	if len(up)+len(down) > 0 {
		r.whole = nil
	}
	return up, down
}

// replace makes names the whole set.
func (r *roster) replace(names []string) (up, down []string) {
	members := make(map[string]struct{}, len(names))
	if len(r.members) == 0 {
		up = make([]string, 0, len(names)) // which is the whole set then
	}
	for _, s := range names {
		before := len(members)
		members[s] = struct{}{}
		if len(members) == before {
			continue // it was there already
		}
		if _, ok := r.members[s]; !ok {
			up = append(up, s)
		}
	}
	for s := range r.members {
		if _, ok := members[s]; !ok {
			down = append(down, s)
		}
	}
	r.members, r.whole = members, nil
	if len(up) == len(members) {
		r.whole = up
	}
	return up, down
}

// unsorted returns the set in no order, as a slice that nobody may change.
func (r *roster) unsorted() []string {
	if r.whole == nil {
		return names(r.members)
	}
	return r.whole
}

// A listing is the sorted form of a roster, for those who need one: made when
// somebody asks, mended after that. It is behind the roster by what its feed
// holds, so the Instancer's lock is not held, and its loop not delayed, while it
// is put in order.
type listing struct {
	feed feed // guarded by the Instancer's lock

	mu     sync.Mutex // held while sorting and copying
	sorted []string
}

// add notes a difference between the roster, of that size, and the sorted form,
// or that mending it would cost more than sorting.
func (l *listing) add(size int, up, down []string) {
	behind := len(l.feed.up) + len(l.feed.down) + len(up) + len(down)
	l.feed.add(behind > 64+size/8, up, down)
}

// update takes in what the feed held.
func (l *listing) update(reset bool, up, down []string) {
	if reset {
		l.sorted = slices.Clone(up)
		slices.Sort(l.sorted)
	} else if len(up)+len(down) > 0 {
		l.sorted = mended(l.sorted, up, down)
	}
}

// mended returns sorted with up put in and down taken out: the stretches between
// them are copied as they are.
func mended(sorted, up, down []string) []string {
	next := make([]string, 0, len(sorted)+len(up)-len(down))
	changed := slices.Concat(up, down)
	slices.Sort(changed)
	for _, s := range changed {
		at, found := slices.BinarySearch(sorted, s)
		next = append(next, sorted[:at]...)
		sorted = sorted[at:]
		if found {
			sorted = sorted[1:]
		} else {
			next = append(next, s)
		}
	}
	return append(next, sorted...)
}
