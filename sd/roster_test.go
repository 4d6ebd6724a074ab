package sd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
)

func TestRosterTellsWhatReallyChanged(t *testing.T) {
	for name, test := range map[string]struct {
		before         []string
		change         Change
		up, down, then []string
	}{
		"first set":           {nil, Change{Reset: true, Up: []string{"b", "a"}}, []string{"a", "b"}, nil, []string{"a", "b"}},
		"first set is empty":  {nil, Change{Reset: true}, nil, nil, nil},
		"set repeated":        {[]string{"a", "b"}, Change{Reset: true, Up: []string{"b", "a"}}, nil, nil, []string{"a", "b"}},
		"set replaced":        {[]string{"a", "b"}, Change{Reset: true, Up: []string{"c", "b"}}, []string{"c"}, []string{"a"}, []string{"b", "c"}},
		"set emptied":         {[]string{"a"}, Change{Reset: true}, nil, []string{"a"}, nil},
		"name twice in a set": {nil, Change{Reset: true, Up: []string{"a", "a"}}, []string{"a"}, nil, []string{"a"}},
		"one joins":           {[]string{"b"}, Change{Up: []string{"a"}}, []string{"a"}, nil, []string{"a", "b"}},
		"one leaves":          {[]string{"a", "b"}, Change{Down: []string{"a"}}, nil, []string{"a"}, []string{"b"}},
		"is there already":    {[]string{"a"}, Change{Up: []string{"a"}}, nil, nil, []string{"a"}},
		"was not there":       {[]string{"a"}, Change{Down: []string{"b"}}, nil, nil, []string{"a"}},
		"name twice joins":    {[]string{"a"}, Change{Up: []string{"b", "b"}}, []string{"b"}, nil, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(0)
			m.change(t, Change{Reset: true, Up: test.before})
			up, down := m.apply(test.change)
			equal(t, "up", test.up, slices.Sorted(slices.Values(up)))
			equal(t, "down", test.down, slices.Sorted(slices.Values(down)))
			equal(t, "list", test.then, m.i.list())
		})
	}
}

func TestListBelongsToTheCaller(t *testing.T) {
	m := newModel(2)
	clear(m.i.list())
	equal(t, "list after the first was overwritten", []string{"0", "1"}, m.i.list())
}

// A few changes mend the sorted form, many give it up. Both ways lead to the
// same list.
func TestListMendsOrSorts(t *testing.T) {
	for _, test := range []struct {
		changed int
		mended  bool
	}{
		{1, true}, {64, true}, {168, true}, {169, false}, {1000, false},
	} {
		t.Run(fmt.Sprint(test.changed), func(t *testing.T) {
			m := newModel(1000)
			m.i.list()
			m.change(t, Change{Down: m.names(test.changed)})
			if have := !m.i.listing.feed.reset; have != test.mended {
				t.Errorf("sorted form to be mended: want %v, have %v", test.mended, have)
			}
			m.compare(t)
		})
	}
}

// While a list is put in order the loop goes on, and followers are told.
func TestSortingDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := NewInstancer(idle{}, log.NewNopLogger())
		defer i.Stop()
		i.listing.mu.Lock() // as a mailbox does that sorts
		defer i.listing.mu.Unlock()
		var have []string
		i.Follow(func(c Change) { have = append(have, c.Up...) })
		i.apply(Change{Reset: true, Up: []string{address(1)}})
		pass := time.NewTimer(time.Second)
		<-pass.C
		i.apply(Change{Up: []string{address(2)}})
		synctest.Wait()
		equal(t, "what a follower was told", []string{address(1), address(2)}, have)
	})
}

// FuzzRoster reads its input as a series of changes to sixteen names.
func FuzzRoster(f *testing.F) {
	f.Add([]byte{0x21, 0x35, 0x90, 0xa1, 0x07})
	f.Add([]byte{0x10, 0x11, 0x30, 0x12, 0x31, 0x00, 0x13})
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newModel(0)
		for _, b := range script {
			names := []string{fmt.Sprint(b & 15), fmt.Sprint(b >> 2 & 15)}
			switch b >> 6 {
			case 0:
				m.change(t, Change{Up: names})
			case 1:
				m.change(t, Change{Down: names})
			case 2:
				m.change(t, Change{Reset: true, Up: names})
			case 3:
				m.compare(t)
			}
		}
		m.compare(t)
	})
}

// Random changes of all sizes, with a list now and then.
func TestRosterUnderRandomChanges(t *testing.T) {
	m := newModel(300)
	mended, sorted := 0, 0
	for range 2000 {
		m.change(t, m.random())
		if rand.N(3) > 0 {
			continue
		}
		if f := m.i.listing.feed; f.reset {
			sorted++
		} else if len(f.up)+len(f.down) > 0 {
			mended++
		}
		m.compare(t)
	}
	if mended < 10 || sorted < 10 {
		t.Errorf("paths taken: want both often, have %d times mended and %d times sorted", mended, sorted)
	}
}

// A model is an Instancer without a loop, and a plain set that is told the same.
type model struct {
	i   *Instancer
	set map[string]bool
}

// newModel returns a model with n names.
func newModel(n int) *model {
	m := &model{i: &Instancer{listing: listing{feed: feed{reset: true}}}, set: map[string]bool{}}
	for k := range n {
		m.set[fmt.Sprint(k)] = true
	}
	m.apply(Change{Reset: true, Up: slices.Collect(maps.Keys(m.set))})
	return m
}

// apply tells the roster, and those who are subscribed.
func (m *model) apply(c Change) (up, down []string) {
	up, down = m.i.roster.apply(c)
	m.i.publish(false, up, down)
	return up, down
}

// names returns n of the names that are there.
func (m *model) names(n int) []string {
	return slices.Sorted(maps.Keys(m.set))[:min(n, len(m.set))]
}

// random returns a change of one to a hundred names; one in twenty is a Reset.
func (m *model) random() Change {
	some := func() (names []string) {
		for range rand.N(1 + rand.N(100)) {
			names = append(names, fmt.Sprint(rand.N(500)))
		}
		return names
	}
	if rand.N(20) == 0 {
		return Change{Reset: true, Up: append(some(), m.names(200)...)}
	}
	if rand.N(2) == 0 {
		return Change{Up: some()}
	}
	return Change{Down: some()}
}

// change tells the roster and the set, and checks that the difference which the
// roster returns is the exact one.
func (m *model) change(t *testing.T, c Change) {
	t.Helper()
	next := maps.Clone(m.set)
	if c.Reset {
		clear(next)
	}
	for _, s := range c.Down {
		delete(next, s)
	}
	for _, s := range c.Up {
		next[s] = true
	}
	up, down := m.apply(c)
	equal(t, "up", without(next, m.set), slices.Sorted(slices.Values(up)))
	equal(t, "down", without(m.set, next), slices.Sorted(slices.Values(down)))
	m.set = next
}

func (m *model) compare(t *testing.T) {
	t.Helper()
	equal(t, "list", slices.Sorted(maps.Keys(m.set)), m.i.list())
	if f := m.i.listing.feed; f.reset || len(f.up)+len(f.down) > 0 {
		t.Fatalf("after a list: want nothing to mend, have %+v", f)
	}
}

// without returns what of set is not in other, sorted.
func without(set, other map[string]bool) (names []string) {
	for s := range set {
		if !other[s] {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	return names
}

func equal(t *testing.T, what string, want, have []string) {
	t.Helper()
	if !slices.Equal(want, have) {
		t.Fatalf("%s: want %q, have %q", what, want, have)
	}
}
