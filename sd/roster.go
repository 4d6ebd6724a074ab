package sd

import (
	"slices"
	"sync"
)

// A roster is the current set of instances. A change costs the change. The
// owner's lock guards it.
type roster struct {
	whole   []string            // the set as it came, until the first difference
	members map[string]struct{} // the same; nil before index
}

// apply takes c in and returns what really changed: a Reset that repeats the
// set changes nothing, nor does an instance that comes though it is there. The
// first set is taken as it is.
func (r *roster) apply(c Change) (up, down []string) {
	if first := r.whole == nil && r.members == nil; first && c.Reset && len(c.Up) > 0 {
		r.whole = c.Up
		return c.Up, nil
	}
	r.adopt(r.index())
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
	members := setOf(names)
	for s := range members {
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
	return up, down
}

// index returns the members, which takes time in a large set. It changes
// nothing: who alone changes the roster needs no lock for it.
func (r *roster) index() map[string]struct{} {
	if r.members != nil {
		return r.members
	}
	return setOf(r.whole)
}

// adopt makes members, which index has returned, those of the roster.
func (r *roster) adopt(members map[string]struct{}) {
	if r.members = members; len(members) < len(r.whole) {
		r.whole = nil // a name stood twice
	}
}

func (r *roster) size() int { return max(len(r.whole), len(r.members)) }

// unsorted returns the set in no order, as a slice that nobody may change.
func (r *roster) unsorted() []string {
	if r.whole == nil {
		return names(r.members)
	}
	return r.whole
}

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, s := range names {
		set[s] = struct{}{}
	}
	return set
}

// A listing is the sorted form of a roster, for those who need one: made when
// somebody asks, mended after that. It is behind the roster by what its feed
// holds, so the Instancer's lock is not held, and its loop not delayed, while it
// is put in order.
type listing struct {
	feed feed // guarded by the Instancer's lock

	mu     sync.Mutex // held while sorting
	sorted []string   // replaced, never changed
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
		l.sorted = append(make([]string, 0, len(up)), up...)
		slices.Sort(l.sorted)
		l.sorted = slices.Compact(l.sorted) // in case a backend has named one twice
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
