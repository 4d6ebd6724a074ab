package lb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A Picker chooses the member that the next call goes to, and returns nil if s has none outside tried, which holds the
// members that this call has used up. It is called by many goroutines at once, must not block, and keeps neither s nor
// tried. It need not look at failures or ejections: the Pool leaves those out of s.
type Picker interface {
	Pick(ctx context.Context, s *Snapshot, tried []*Member) *Member
}

// pickers lists what ParsePicker knows. A function, because a package-level map could be changed by anybody.
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

// PickerNames lists what ParsePicker accepts.
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
	return nil, fmt.Errorf("lb: unknown balancer %q: want one of %s", name, strings.Join(PickerNames(), ", "))
}

// draw returns a member outside tried, each with the same chance.
func draw(s *Snapshot, tried []*Member) *Member {
	n := s.Len()
	if n == 0 {
		return nil
	}
	for range 8 {
		if m := s.At(rand.IntN(n)); !slices.Contains(tried, m) {
			return m
		}
	}
	return drawFew(s, tried)
}

// drawFew is draw when nearly all were tried and drawing again and again leads nowhere.
func drawFew(s *Snapshot, tried []*Member) *Member {
	var left []*Member
	for i := range s.Len() {
		if m := s.At(i); !slices.Contains(tried, m) {
			left = append(left, m)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left[rand.IntN(len(left))]
}

// drawTwo returns two different members outside tried, or the same one twice if there is only one.
func drawTwo(s *Snapshot, tried []*Member) (*Member, *Member) {
	n := uint64(s.Len())
	if len(tried) > 0 || n < 2 {
		return draw(s, tried), draw(s, tried)
	}
	bits := rand.Uint64() // one draw serves both: 32 bits each
	i := bits >> 32 * n >> 32
	j := bits & (1<<32 - 1) * (n - 1) >> 32
	if j >= i {
		j++
	}
	return s.At(int(i)), s.At(int(j))
}
