// Package sets turns a set that is read as a whole, again and again, into the sd.Changes that a
// Watch emits. Registries that tell no differences use it.
package sets

import "example.com/daytime/sd"

// A Set is what a Watch has emitted so far. The zero value is nothing, not even the empty set. One
// goroutine uses it.
type Set struct {
	members map[string]struct{}
}

// Known reports whether there was a first emit.
func (s *Set) Known() bool { return s.members != nil }

// Becomes emits a Reset with names the first time, and then what is different, if anything is. A
// name that stands twice counts once.
func (s *Set) Becomes(names []string, emit func(sd.Change)) {
	now := make(map[string]struct{}, len(names))
	c := sd.Change{Reset: s.members == nil}
	for _, name := range names {
		_, was := s.members[name]
		if _, twice := now[name]; !was && !twice {
			c.Up = append(c.Up, name)
		}
		now[name] = struct{}{}
	}
	for name := range s.members {
		if _, is := now[name]; !is {
			c.Down = append(c.Down, name)
		}
	}
	s.members = now
	if c.Reset || len(c.Up)+len(c.Down) > 0 {
		emit(c)
	}
}
