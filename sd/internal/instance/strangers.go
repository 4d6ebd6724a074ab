package instance

import (
	"maps"
	"slices"
	"strings"

	"example.com/daytime/sd/policy"
)

const (
	maxStrangers = 3   // that are kept
	maxStranger  = 100 // bytes of one
)

// Strangers counts names that are no instances, and keeps the first of them in alphabetical order,
// each cut after 100 bytes. It has no lock.
type Strangers struct {
	Count int
	Names []string // replaced, never changed
}

// Split returns the names that are instances, and those that are none. Without any of these it is
// the slice itself.
func Split(names []string) (valid, strangers []string) {
	if !slices.ContainsFunc(names, IsStranger) {
		return names, nil
	}
	for _, name := range names {
		if IsStranger(name) {
			strangers = append(strangers, name)
		} else {
			valid = append(valid, name)
		}
	}
	return valid, strangers
}

// IsStranger reports whether name is no instance.
func IsStranger(name string) bool { return Refuse(name) != "" }

// Attributes leaves out attributes of names that are no instances.
func Attributes(
	attributes map[string]policy.Attributes, unread []string,
) (map[string]policy.Attributes, []string) {
	strangers := slices.DeleteFunc(slices.Collect(maps.Keys(attributes)), func(name string) bool {
		return !IsStranger(name)
	})
	if len(strangers) > 0 {
		attributes = maps.Clone(attributes)
	}
	for _, name := range strangers {
		delete(attributes, name)
	}
	if slices.ContainsFunc(unread, IsStranger) {
		unread = slices.DeleteFunc(slices.Clone(unread), IsStranger)
	}
	return attributes, unread
}

// Add counts names that are no instances.
func (s *Strangers) Add(names []string) {
	s.Count += len(names)
	for _, name := range names {
		s.keep(name)
	}
}

// Join adds what other has counted.
func (s *Strangers) Join(other Strangers) {
	s.Count += other.Count
	for _, name := range other.Names {
		s.keep(name)
	}
}

func (s *Strangers) keep(name string) {
	name = name[:min(len(name), maxStranger)]
	at, found := slices.BinarySearch(s.Names, name)
	if found || at == maxStrangers {
		return
	}
	names := slices.Insert(slices.Clone(s.Names), at, strings.Clone(name))
	s.Names = names[:min(len(names), maxStrangers)]
}
