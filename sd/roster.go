package sd

import (
	"slices"
)

// A roster is the current set of instances, and its sorted form for those who
// need one. A change costs the change; only list costs the size of the set.
// The owner's lock guards it.
type roster struct {
	members map[string]struct{}
	sorted  []string            // as of the last list; nil: never made, or not worth mending
	touched map[string]struct{} // what may differ between sorted and members
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
	r.touch(up)
	r.touch(down)
	return up, down
}

// replace makes names the whole set.
func (r *roster) replace(names []string) (up, down []string) {
	members := make(map[string]struct{}, len(names))
	for _, s := range names {
		if _, ok := members[s]; ok {
			continue
		}
		members[s] = struct{}{}
		if _, ok := r.members[s]; !ok {
			up = append(up, s)
		}
	}
	for s := range r.members {
		if _, ok := members[s]; !ok {
			down = append(down, s)
		}
	}
	r.members = members
	r.touch(up)
	r.touch(down)
	return up, down
}

// touch notes names for the next list, or gives the sorted form up when
// mending it would cost more than sorting.
func (r *roster) touch(names []string) {
	if r.sorted == nil {
		return
	}
	if len(r.touched)+len(names) > 64+len(r.sorted)/8 {
		r.sorted, r.touched = nil, nil
		return
	}
	if r.touched == nil {
		r.touched = make(map[string]struct{}, len(names))
	}
	for _, s := range names {
		r.touched[s] = struct{}{}
	}
}

// list returns the set, sorted, as a slice that belongs to the caller.
func (r *roster) list() []string {
	switch {
	case r.sorted == nil:
		r.sorted = r.unsorted()
		slices.Sort(r.sorted)
	case len(r.touched) > 0:
		r.sorted = r.mended()
	}
	r.touched = nil
	return slices.Clone(r.sorted)
}

// unsorted returns the set in no order, as a slice that belongs to the caller.
func (r *roster) unsorted() []string {
	names := make([]string, 0, len(r.members))
	for s := range r.members {
		names = append(names, s)
	}
	return names
}

// mended returns the sorted form after the changes that touched names: the
// stretches between them are copied as they are.
func (r *roster) mended() []string {
	names := make([]string, 0, len(r.touched))
	for s := range r.touched {
		names = append(names, s)
	}
	slices.Sort(names)

	next := make([]string, 0, len(r.members))
	rest := r.sorted
	for _, s := range names {
		at, found := slices.BinarySearch(rest, s)
		next = append(next, rest[:at]...)
		rest = rest[at:]
		if found {
			rest = rest[1:]
		}
		if _, ok := r.members[s]; ok {
			next = append(next, s)
		}
	}
	return append(next, rest...)
}
