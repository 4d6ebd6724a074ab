package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"example.com/daytime/sd"
)

// maxStrangers is how many names a line shows that are no instances.
const maxStrangers = 3

// A strangers is a Backend that remembers which names of its set are no instances: an Instancer
// leaves them out.
type strangers struct {
	sd.Backend

	mu    sync.Mutex
	names map[string]bool
}

func (s *strangers) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return s.Backend.Watch(ctx, want, func(c sd.Change) {
		s.apply(c)
		emit(c)
	})
}

func (s *strangers) apply(c sd.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Reset {
		s.names = nil
	}
	for _, name := range c.Down {
		delete(s.names, name)
	}
	for _, name := range c.Up {
		if sd.CheckInstance(name) == nil {
			continue
		}
		if s.names == nil {
			s.names = map[string]bool{}
		}
		s.names[name] = true
	}
}

// list returns the names, sorted.
func (s *strangers) list() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// leftOut says how many names are no instances, and which the first of them are. They come from the
// registry, in which anybody may have written them.
func leftOut(names []string) string {
	shown := names[:min(len(names), maxStrangers)]
	quoted := make([]string, len(shown))
	for i, name := range shown {
		quoted[i] = fmt.Sprintf("%.64q", name)
	}
	text := fmt.Sprintf("left out %s that cannot be dialled: %s",
		count(len(names), "name"), strings.Join(quoted, ", "))
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
