package sd

import (
	"slices"
	"testing"
)

// What a follower has not been told yet is one difference, or the wish for the
// whole set, however many changes went into it.
func TestFeedMerges(t *testing.T) {
	type step struct {
		reset    bool
		up, down []string
	}
	for name, test := range map[string]struct {
		steps []step
		want  step
	}{
		"nothing":                  {nil, step{}},
		"one change":               {[]step{{false, []string{"a"}, []string{"b"}}}, step{false, []string{"a"}, []string{"b"}}},
		"two changes":              {[]step{{up: []string{"a"}}, {up: []string{"b"}}}, step{up: []string{"a", "b"}}},
		"came and went":            {[]step{{up: []string{"a"}}, {down: []string{"a"}}}, step{}},
		"went and came":            {[]step{{down: []string{"a"}}, {up: []string{"a"}}}, step{}},
		"went and came in one":     {[]step{{up: []string{"a"}, down: []string{"a"}}}, step{}},
		"came, went and came":      {[]step{{up: []string{"a"}}, {down: []string{"a"}}, {up: []string{"a"}}}, step{up: []string{"a"}}},
		"change before the reset":  {[]step{{up: []string{"a"}}, {reset: true}}, step{reset: true, up: []string{"x", "y"}}},
		"change after the reset":   {[]step{{reset: true}, {up: []string{"a"}}}, step{reset: true, up: []string{"x", "y"}}},
		"reset of what is not new": {[]step{{reset: true}, {reset: true}}, step{reset: true, up: []string{"x", "y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			i := &Instancer{}
			i.roster.apply(Change{Reset: true, Up: []string{"x", "y"}})
			f := &feed{mailbox: &mailbox{news: make(chan struct{}, 1)}}
			for _, s := range test.steps {
				f.add(s.reset, s.up, s.down)
			}
			reset, up, down := i.take(f)
			if reset != test.want.reset {
				t.Errorf("reset: want %v, have %v", test.want.reset, reset)
			}
			equal(t, "up", test.want.up, slices.Sorted(slices.Values(up)))
			equal(t, "down", test.want.down, slices.Sorted(slices.Values(down)))

			if reset, up, down := i.take(f); reset || len(up)+len(down) > 0 {
				t.Errorf("taken again: want nothing, have %v, %v, %v", reset, up, down)
			}
		})
	}
}
