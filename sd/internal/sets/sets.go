// Package sets turns a set that is read as a whole, again and again, into the sd.Changes that a
// Watch emits. Registries that tell no differences, and have no policy, use it.
package sets

import (
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A Set is what a Watch has emitted so far. The zero value is nothing, not even the empty set. One
// goroutine uses it.
type Set struct {
	Want sd.Want // of the Watch

	members map[string]member
}

// A member is a name's part of the Changes so far.
type member struct {
	attributes policy.Attributes
	unread     bool
}

// Known reports whether there was a first emit.
func (s *Set) Known() bool { return s.members != nil }

// Becomes emits a Reset with entries the first time, and then the difference, if there is one. Of
// an instance that stands twice the first counts. Unread are those of which an attribute could not
// be read; the others of its attributes stand in the entry.
func (s *Set) Becomes(entries []policy.Entry, unread []string, emit func(sd.Change)) {
	c := sd.Change{Reset: !s.Known()}
	if c.Reset {
		c.Lacking.Policy = s.Want.Policy
	}
	now := make(map[string]member, len(entries))
	for _, e := range entries {
		if _, twice := now[e.Instance]; !twice {
			now[e.Instance] = member{attributes: e.Attributes}
			if _, was := s.members[e.Instance]; !was {
				c.Up = append(c.Up, e.Instance)
			}
		}
	}
	for name := range s.members {
		if _, is := now[name]; !is {
			c.Down = append(c.Down, name)
		}
	}
	if s.Want.Attributes {
		for _, name := range unread {
			now[name] = member{now[name].attributes, true}
		}
		s.compare(&c, now)
	}
	s.members = now
	if c.Reset || len(c.Up)+len(c.Down)+len(c.Attributes)+len(c.Unread) > 0 {
		emit(c)
	}
}

// compare notes the attributes in now that are others than before, or could not be read then. To
// tell attributes is to say that all of them were read, unless Unread says otherwise.
func (s *Set) compare(c *sd.Change, now map[string]member) {
	for name, m := range now {
		before := s.members[name]
		told := !m.attributes.Equal(before.attributes) || before.unread && !m.unread
		if told {
			if c.Attributes == nil {
				c.Attributes = map[string]policy.Attributes{}
			}
			c.Attributes[name] = m.attributes
		}
		if m.unread && (told || !before.unread) {
			c.Unread = append(c.Unread, name)
		}
	}
}
