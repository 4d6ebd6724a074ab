package fanout

import (
	"slices"
	"testing"
)

// What somebody has not been told yet is one difference, or the whole set, however many changes
// went into it.
func TestBacklogMerges(t *testing.T) {
	up := func(names ...string) Change { return Change{Up: names} }
	lost := func(names ...string) Change { return Change{Down: names} }
	left := func(names ...string) Change { return Change{Down: names, Withdrew: names} }
	all := Change{Reset: true, Up: []string{"x", "y"}}
	for name, test := range map[string]struct {
		changes []Change // a Reset stands for addAll
		want    Change
	}{
		"nothing": {nil, Change{}},
		"one change": {[]Change{{Up: []string{"a"}, Down: []string{"b"}}},
			Change{Up: []string{"a"}, Down: []string{"b"}}},
		"two changes":          {[]Change{up("a"), up("b")}, up("a", "b")},
		"came and went":        {[]Change{up("a"), lost("a")}, Change{}},
		"went and came":        {[]Change{lost("a"), up("a")}, Change{}},
		"went and came in one": {[]Change{{Up: []string{"a"}, Down: []string{"a"}}}, Change{}},
		"came, went and came":  {[]Change{up("a"), lost("a"), up("a")}, up("a")},
		"one withdrew, one is lost": {[]Change{left("a"), lost("b")},
			Change{Down: []string{"a", "b"}, Withdrew: []string{"a"}}},
		"one of two withdrew": {[]Change{{Down: []string{"a", "b"}, Withdrew: []string{"b"}}},
			Change{Down: []string{"a", "b"}, Withdrew: []string{"b"}}},
		"came and withdrew":        {[]Change{up("a"), left("a")}, Change{}},
		"withdrew and came":        {[]Change{left("a"), up("a")}, Change{}},
		"withdrew, came, is lost":  {[]Change{left("a"), up("a"), lost("a")}, lost("a")},
		"lost, came, withdrew":     {[]Change{lost("a"), up("a"), left("a")}, left("a")},
		"change before the reset":  {[]Change{left("a"), {Reset: true}}, all},
		"change after the reset":   {[]Change{{Reset: true}, up("a"), left("x")}, all},
		"reset of what is not new": {[]Change{{Reset: true}, {Reset: true}}, all},
	} {
		t.Run(name, func(t *testing.T) {
			var s set
			s.apply(all)
			var p backlog
			for _, c := range test.changes {
				if c.Reset {
					p.addAll()
				} else {
					p.add(c)
				}
			}
			equalChange(t, test.want, p.take(&s))
			equalChange(t, Change{}, p.take(&s))
		})
	}
}

// equalChange compares changes, whose slices are in no order.
func equalChange(t *testing.T, want, have Change) {
	t.Helper()
	if want.Reset != have.Reset {
		t.Errorf("reset: want %v, have %v", want.Reset, have.Reset)
	}
	sorted := func(names []string) []string { return slices.Sorted(slices.Values(names)) }
	equal(t, "up", sorted(want.Up), sorted(have.Up))
	equal(t, "down", sorted(want.Down), sorted(have.Down))
	equal(t, "withdrew", sorted(want.Withdrew), sorted(have.Withdrew))
}
