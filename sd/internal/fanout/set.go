package fanout

import "slices"

// A set is the current instances. A change costs the change, not the set. It has no lock.
type set struct {
	whole   []string            // the names as they came, until the first difference
	members map[string]struct{} // the same; nil before adopt
	hashed  bool                // the hash is kept
	hash    setHash             // of members
}

// apply takes c in and returns the difference that it really makes: a Reset that repeats the set
// makes none, nor does an instance that comes though it is there. The first set is its own
// difference, and is not indexed yet.
func (s *set) apply(c Change) (diff Change) {
	if first := s.whole == nil && s.members == nil; first && c.Reset && len(c.Up) > 0 {
		s.whole = c.Up
		return Change{Up: c.Up}
	}
	s.adopt(s.index())
	if c.Reset {
		return s.replace(c.Up)
	}
	withdrew := c.withdrew()
	for _, name := range c.Down {
		if !remove(s.members, name) {
			continue
		}
		diff.Down = append(diff.Down, name)
		if has(withdrew, name) {
			diff.Withdrew = append(diff.Withdrew, name)
		}
	}
	for _, name := range c.Up {
		if !has(s.members, name) {
			s.members[name] = struct{}{}
			diff.Up = append(diff.Up, name)
		}
	}
	if !diff.empty() {
		s.whole = nil
	}
	s.rehash(diff)
	return diff
}

// rehash takes a difference into the hash.
func (s *set) rehash(diff Change) {
	if !s.hashed {
		return
	}
	for _, name := range diff.Down {
		s.hash.remove(name)
	}
	for _, name := range diff.Up {
		s.hash.add(name)
	}
}

// replace makes names the whole set. A member that is missing in it was lost: a Reset does not say
// why.
func (s *set) replace(names []string) (diff Change) {
	members := setOf(names)
	for name := range members {
		if !has(s.members, name) {
			diff.Up = append(diff.Up, name)
		}
	}
	for name := range s.members {
		if !has(members, name) {
			diff.Down = append(diff.Down, name)
		}
	}
	s.members, s.whole = members, nil
	s.rehash(diff)
	return diff
}

// index returns the members and their hash, which takes time in a large set. It changes nothing.
func (s *set) index() (map[string]struct{}, setHash) {
	if s.members != nil {
		return s.members, s.hash
	}
	members, hash := setOf(s.whole), setHash(0)
	if s.hashed {
		for name := range members {
			hash.add(name)
		}
	}
	return members, hash
}

// adopt makes members and hash, which index has returned, those of the set.
func (s *set) adopt(members map[string]struct{}, hash setHash) {
	s.hash = hash
	if s.members = members; len(members) < len(s.whole) {
		s.whole = nil // a name stood twice
	}
}

// mayHave reports whether name is one of the set, and says so of everybody before adopt.
func (s *set) mayHave(name string) bool { return s.members == nil || has(s.members, name) }

func (s *set) size() int { return max(len(s.whole), len(s.members)) }

// unsorted returns the set in no order, as a slice that must not be changed.
func (s *set) unsorted() []string {
	if s.whole == nil {
		return names(s.members)
	}
	return s.whole
}

// A sortedSet is the sorted form of a set. It has no lock.
type sortedSet struct {
	names []string // replaced, never changed
}

// apply takes in the difference to the set as it was, or the whole set.
func (s *sortedSet) apply(c Change) {
	switch {
	case c.Reset:
		s.names = append(make([]string, 0, len(c.Up)), c.Up...)
		slices.Sort(s.names)
		s.names = slices.Compact(s.names) // in case a backend has named one twice
	case !c.empty():
		s.names = merged(s.names, c.Up, c.Down)
	}
}

// merged returns sorted with up put in and down taken out. The stretches between them are copied as
// they are.
func merged(sorted, up, down []string) []string {
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

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, s := range names {
		set[s] = struct{}{}
	}
	return set
}

func has[V any](set map[string]V, name string) bool {
	_, ok := set[name]
	return ok
}

// remove deletes name, and reports whether it was there.
func remove[V any](set map[string]V, name string) bool {
	found := has(set, name)
	delete(set, name)
	return found
}

// names returns the keys of set in no order, nil for none.
func names[V any](set map[string]V) []string {
	if len(set) == 0 {
		return nil
	}
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	return list
}
