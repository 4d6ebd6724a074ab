package lb

import (
	"context"
	"fmt"
	"strings"
)

// A Picker chooses the member that the next call goes to, and returns nil if s has none outside
// tried, which holds the members that this call has used up. It is called by many goroutines at
// once, must not block, and keeps neither s nor tried. It need not look at failures, drains, shares
// or weights of 0: the Pool leaves out of s whatever is not to be picked now.
type Picker interface {
	Pick(ctx context.Context, s *Snapshot, tried []*Member) *Member
}

// pickers lists all that ParsePicker knows. It is a function because a package-level map could be
// changed from anywhere.
func pickers() []struct {
	name string
	make func() Picker
} {
	return []struct {
		name string
		make func() Picker
	}{
		{"random", func() Picker { return NewRandom() }},
		{"roundrobin", func() Picker { return NewRoundRobin() }},
		{"leastloaded", func() Picker { return NewLeastLoaded() }},
		{"ewma", func() Picker { return NewEWMA() }},
		{"hash", func() Picker { return NewHash() }},
	}
}

// PickerNames lists the names that ParsePicker accepts.
func PickerNames() []string {
	var names []string
	for _, p := range pickers() {
		names = append(names, p.name)
	}
	return names
}

// ParsePicker returns a new picker by its name. The error shows the name and lists the right ones.
func ParsePicker(name string) (Picker, error) {
	for _, p := range pickers() {
		if p.name == name {
			return p.make(), nil
		}
	}
	return nil, fmt.Errorf("lb: unknown balancer %q: want one of %s", name,
		strings.Join(PickerNames(), ", "))
}
