package fanout

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetTellsWhatReallyChanged(t *testing.T) {
	for name, test := range map[string]struct {
		before       []string
		change, want Change
		then         []string
	}{
		"first set": {nil, reset("b", "a"), Change{Up: []string{"a", "b"}},
			[]string{"a", "b"}},
		"first set is empty": {nil, reset(), Change{}, nil},
		"set repeated":       {[]string{"a", "b"}, reset("b", "a"), Change{}, []string{"a", "b"}},
		"set replaced": {[]string{"a", "b"}, reset("c", "b"),
			Change{Up: []string{"c"}, Down: []string{"a"}}, []string{"b", "c"}},
		"set emptied":         {[]string{"a"}, reset(), Change{Down: []string{"a"}}, nil},
		"name twice in a set": {nil, reset("a", "a"), Change{Up: []string{"a"}}, []string{"a"}},
		"one joins": {[]string{"b"}, Change{Up: []string{"a"}}, Change{Up: []string{"a"}},
			[]string{"a", "b"}},
		"one is lost": {[]string{"a", "b"}, Change{Down: []string{"a"}},
			Change{Down: []string{"a"}}, []string{"b"}},
		"one withdraws": {[]string{"a", "b"}, Change{Down: []string{"a"}, Withdrew: []string{"a"}},
			Change{Down: []string{"a"}, Withdrew: []string{"a"}}, []string{"b"}},
		"withdraws and is not down": {[]string{"a"}, Change{Withdrew: []string{"a"}}, Change{},
			[]string{"a"}},
		"withdraws, was not there": {[]string{"a"},
			Change{Down: []string{"b"}, Withdrew: []string{"b"}}, Change{}, []string{"a"}},
		"withdraws in a Reset": {[]string{"a"}, Change{Reset: true, Withdrew: []string{"a"}},
			Change{Down: []string{"a"}}, nil}, // against the contract
		"is there already": {[]string{"a"}, Change{Up: []string{"a"}}, Change{}, []string{"a"}},
		"was not there":    {[]string{"a"}, Change{Down: []string{"b"}}, Change{}, []string{"a"}},
		"name twice joins": {[]string{"a"}, Change{Up: []string{"b", "b"}},
			Change{Up: []string{"b"}}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := New()
			f.Apply(reset(test.before...), nil)
			diff := f.set.apply(test.change)
			equalChange(t, test.want, diff)
			f.publish(false, diff)
			equal(t, "list", test.then, f.Instances())
		})
	}
}

func reset(names ...string) Change { return Change{Reset: true, Up: names} }

func TestInstancesBelongToTheCaller(t *testing.T) {
	m := newModel(2)
	clear(m.f.Instances())
	equal(t, "instances after the first were overwritten", []string{"0", "1"}, m.f.Instances())
}

// A few changes are merged into the sorted form, many give it up. Both ways lead to the same list.
func TestListMergesOrSorts(t *testing.T) {
	for _, test := range []struct {
		changed int
		merged  bool
	}{
		{1, true}, {64, true}, {168, true}, {169, false}, {1000, false},
	} {
		t.Run(fmt.Sprint(test.changed), func(t *testing.T) {
			m := newModel(1000)
			m.f.list()
			m.change(t, Change{Down: m.names(test.changed)})
			if have := !m.f.behind.reset; have != test.merged {
				t.Errorf("change to be merged: want %v, have %v", test.merged, have)
			}
			m.compare(t)
		})
	}
}

// While a list is put in order the set changes, and followers are told.
func TestSortingDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		defer f.Close()
		f.sorting.Lock() // as a mailbox does that sorts
		defer f.sorting.Unlock()
		var have []string
		f.Follow(func(c Change) { have = append(have, c.Up...) })
		f.Apply(reset("a"), nil)
		f.Index()
		time.Sleep(time.Second)
		f.Apply(Change{Up: []string{"b"}}, nil)
		synctest.Wait()
		equal(t, "what a follower was told", []string{"a", "b"}, have)
	})
}

// FuzzSet reads its input as a series of changes to sixteen names.
func FuzzSet(f *testing.F) {
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
				m.change(t, reset(names...))
			case 3:
				m.compare(t)
			}
		}
		m.compare(t)
	})
}

// Random changes of all sizes, with a list now and then.
func TestSetUnderRandomChanges(t *testing.T) {
	m := newModel(300)
	merged, sorted := 0, 0
	for range 2000 {
		m.change(t, m.random())
		if rand.N(3) > 0 {
			continue
		}
		if p := m.f.behind; p.reset {
			sorted++
		} else if p.size() > 0 {
			merged++
		}
		m.compare(t)
	}
	if merged < 10 || sorted < 10 {
		t.Errorf("paths taken: want both often, have %d times merged and %d times sorted", merged,
			sorted)
	}
}

// A model is a fanout, and a plain set that is told the same.
type model struct {
	f   *Fanout
	set map[string]bool
}

// newModel returns a model with n names.
func newModel(n int) *model {
	m := &model{f: New(), set: map[string]bool{}}
	m.f.KeepHash()
	for k := range n {
		m.set[fmt.Sprint(k)] = true
	}
	m.apply(reset(slices.Collect(maps.Keys(m.set))...))
	return m
}

// apply tells the set, and those who are subscribed.
func (m *model) apply(c Change) (diff Change) {
	diff = m.f.set.apply(c)
	m.f.publish(false, diff)
	m.f.known = true
	return diff
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

// change tells both sets, and checks that the difference which the fanout's returns is the exact
// one.
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
	equalChange(t, Change{Up: without(next, m.set), Down: without(m.set, next)}, m.apply(c))
	m.set = next
}

func (m *model) compare(t *testing.T) {
	t.Helper()
	equal(t, "list", slices.Sorted(maps.Keys(m.set)), m.f.Instances())
	m.f.Index()
	if want := hashOf(slices.Collect(maps.Keys(m.set))...); want != uint64(m.f.set.hash) {
		t.Fatalf("hash: want %d, have %d", want, m.f.set.hash)
	}
	if p := m.f.behind; p.reset || p.size() > 0 {
		t.Fatalf("after a list: want no backlog, have %+v", p)
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

// Differences are merged for a follower that is not ready.
func Example() {
	f := New()
	defer f.Close()
	told := make(chan Change)
	f.Follow(func(c Change) { told <- c })
	f.Apply(Change{Reset: true, Up: []string{"192.0.2.1:8897"}}, nil)
	f.Index()
	fmt.Println((<-told).Up)
	f.Apply(Change{Up: []string{"192.0.2.2:8897"}}, nil)
	f.Apply(Change{Down: []string{"192.0.2.1:8897"}}, nil)
	f.Apply(Change{Up: []string{"192.0.2.1:8897"}}, nil) // back before anybody was told
	c := <-told
	fmt.Println(c.Up, c.Down)
	// Output:
	// [192.0.2.1:8897]
	// [192.0.2.2:8897] []
}
