package union_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/internal/union"
	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake is a part as the model sees it: an own fanout, and the reader that tells its differences.
type fake struct {
	*fanout.Fanout
	reader  *fanout.Reader
	known   bool
	steers  bool
	members map[string]policy.Effective
	sides   []policy.Side

	before   map[string]policy.Effective // the members at the last Flush
	withdrew map[string]bool             // how those left that did since, the last time
	lost     map[string]bool             // those that it lost at some time
}

// A world is parts, their union, and what a follower of the union knows.
type world struct {
	parts    []*fake
	union    *union.Union
	told     *fanout.Fanout // of the union
	follower *fanout.Reader
	set      map[string]policy.Effective // as the follower has it
	sides    []policy.Side
}

const maxNames = 6

func name(n int) string { return fmt.Sprintf("192.0.2.%d:13", n+1) }

func newWorld(t *rapid.T) *world {
	w := &world{told: fanout.New(), set: map[string]policy.Effective{}}
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		f := &fake{Fanout: fanout.New(), members: map[string]policy.Effective{},
			withdrew: map[string]bool{}, lost: map[string]bool{}}
		f.steers = rapid.Bool().Draw(t, "steers")
		f.reader = f.NewReader(func() {})
		w.parts = append(w.parts, f)
	}
	w.union = union.New(len(w.parts))
	w.follower = w.told.NewReader(func() {})
	return w
}

// names draws some of all names.
func names(t *rapid.T) (some []string) {
	for n := range maxNames {
		if rapid.Bool().Draw(t, "named") {
			some = append(some, name(n))
		}
	}
	return some
}

func value(t *rapid.T, sides int) policy.Effective {
	return policy.Effective{
		Weight:  rapid.SampledFrom([]int{100, 100, 7}).Draw(t, "weight"),
		Zone:    rapid.SampledFrom([]string{"", "a"}).Draw(t, "zone"),
		Drained: rapid.Bool().Draw(t, "drained"),
		Side:    rapid.IntRange(0, max(sides-1, 0)).Draw(t, "side"),
	}
}

// change has a part change: it loses and gains names, or is read again as a whole, and what it
// makes of its members may be another.
func (w *world) change(t *rapid.T) {
	f := rapid.SampledFrom(w.parts).Draw(t, "part")
	c := fanout.Change{Reset: !f.known || rapid.IntRange(0, 3).Draw(t, "reset") == 0}
	left := names(t)
	if c.Reset {
		c.Up = names(t)
		for _, m := range slices.Sorted(maps.Keys(f.members)) {
			if !slices.Contains(c.Up, m) {
				f.leave(m, false)
			}
		}
	} else {
		for _, n := range left {
			if _, ok := f.members[n]; !ok {
				c.Up = append(c.Up, n)
				continue
			}
			c.Down = append(c.Down, n)
			withdrew := rapid.Bool().Draw(t, "withdrew")
			if withdrew {
				c.Withdrew = append(c.Withdrew, n)
			}
			f.leave(n, withdrew)
		}
	}
	f.known = true
	for _, n := range c.Up {
		f.members[n] = policy.Effective{Weight: policy.DefaultWeight}
	}
	if !f.steers {
		f.Apply(c, nil)
		f.Index()
		return
	}
	if rapid.IntRange(0, 3).Draw(t, "resplit") == 0 {
		f.sides = nil
		if share := rapid.IntRange(0, 2).Draw(t, "share"); share > 0 {
			f.sides = []policy.Side{{Share: 10000 - share}, {Share: share}}
		}
	}
	for _, m := range slices.Sorted(maps.Keys(f.members)) {
		f.members[m] = value(t, len(f.sides))
	}
	x := fanout.NewEvaluation(maps.Clone(f.members), f.sides, nil)
	f.Apply(c, &x)
	f.Index()
}

func (f *fake) leave(name string, withdrew bool) {
	delete(f.members, name)
	f.withdrew[name] = withdrew
	f.lost[name] = f.lost[name] || !withdrew
}

// withdrew reports whether name withdrew from every part that had it at the last Flush.
func (w *world) withdrew(name string) bool {
	for _, f := range w.parts {
		if _, had := f.before[name]; had && !f.withdrew[name] {
			return false
		}
	}
	return true
}

// lost reports whether a part lost name at some time.
func (w *world) lost(name string) bool {
	return slices.ContainsFunc(w.parts, func(f *fake) bool { return f.lost[name] })
}

// flush has the union tell, and checks that what the follower is told is the exact difference.
func (w *world) flush(t *rapid.T) {
	for n, f := range w.parts {
		add(w.union, n, f.reader.Take())
	}
	if w.union.Known() == 0 {
		return
	}
	diff, x := w.union.Flush()
	w.told.Apply(diff, x)
	w.told.Index()
	c := w.follower.Take()
	if len(diff.Up) != len(c.Up) || len(diff.Down) != len(c.Down) {
		t.Fatalf("want the exact difference %+v, have %+v", c, diff)
	}
	want, sides := w.model()
	for _, n := range c.Down {
		if _, ok := w.set[n]; !ok || c.Reset {
			t.Fatalf("%s left, and was not there", n)
		}
		delete(w.set, n)
		if want, have := w.withdrew(n), slices.Contains(c.Withdrew, n); want != have {
			t.Fatalf("%s left: want withdrew %v, have %v", n, want, have)
		}
	}
	for _, n := range c.Up {
		if _, ok := w.set[n]; ok {
			t.Fatalf("%s joined, and was there", n)
		}
		w.set[n] = policy.Effective{Weight: policy.DefaultWeight}
	}
	for n, v := range c.Effective {
		if _, ok := w.set[n]; ok {
			w.set[n] = v
		} else if !w.lost(n) {
			t.Fatalf("%s has a value, and neither is there nor was ever lost", n)
		}
	}
	if c.Sides != nil || c.Reset {
		w.sides = c.Sides
	}
	if !reflect.DeepEqual(want, w.set) || !slices.Equal(sides, w.sides) {
		t.Fatalf("want %v, %v\nhave %v, %v\nafter %+v", want, sides, w.set, w.sides, c)
	}
	for _, f := range w.parts {
		f.before, f.withdrew = maps.Clone(f.members), map[string]bool{}
	}
}

// model is the union as it must be, made anew from the parts.
func (w *world) model() (set map[string]policy.Effective, sides []policy.Side) {
	set = map[string]policy.Effective{}
	for _, f := range w.parts {
		first := sides == nil && len(f.sides) > 0
		if first {
			sides = f.sides
		}
		for n, v := range f.members {
			old, listed := set[n]
			if !listed {
				old = v
				old.Side = 0
			}
			old.Drained = old.Drained || v.Drained
			if first {
				old.Side = v.Side
			}
			set[n] = old
		}
	}
	return set, sides
}

// Whatever the parts do, the union tells exact differences, and leads to what the parts have.
func TestUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){"change": w.change, "flush": w.flush, "": func(*rapid.T) {}})
		w.flush(t)
	})
}

// add has a part tell at once.
func add(u *union.Union, n int, c fanout.Change) { u.Add(n, c, time.Time{}) }

func ExampleUnion() {
	u := union.New(2)
	add(u, 0, fanout.Change{Reset: true, Up: []string{name(0)}})
	add(u, 1, fanout.Change{Reset: true, Up: []string{name(0), name(1)}})
	whole, _ := u.Flush()
	add(u, 1, fanout.Change{Down: []string{name(0), name(1)}, Withdrew: []string{name(0)}})
	diff, _ := u.Flush()
	fmt.Println(len(whole.Up), diff.Down, diff.Withdrew)
	// Output:
	// 2 [192.0.2.2:13] []
}

// ofTwo returns a union of two parts, and what its follower is told of effective values.
func ofTwo() (u *union.Union, flush func() map[string]policy.Effective) {
	u, told := union.New(2), fanout.New()
	r := told.NewReader(func() {})
	return u, func() map[string]policy.Effective {
		c, x := u.Flush()
		told.Apply(c, x)
		told.Index()
		return r.Take().Effective
	}
}

// What a part makes of one that it lost is told if no other part has it: without a side unless that
// part splits the calls, and drained if any says so. It is told again when another part splits them.
func TestUnionTellsOfLost(t *testing.T) {
	u, flush := ofTwo()
	all := []string{name(0), name(1), name(2), name(3)}
	some := map[string]policy.Effective{}
	add(u, 0, fanout.Change{Reset: true, Up: []string{all[0], all[1], all[3]}, Effective: some})
	add(u, 1, fanout.Change{Reset: true, Up: all[1:], Effective: some,
		Sides: []policy.Side{{Share: 5000}, {Share: 5000}}})
	flush()
	add(u, 0, fanout.Change{Down: []string{all[0], all[1], all[3]}})
	add(u, 1, fanout.Change{Down: all[2:]})
	flush()
	v := policy.Effective{Weight: 7, Drained: true, Side: 1}
	undrained, elsewhere := v, v
	undrained.Drained, elsewhere.Side = false, 0
	add(u, 0, fanout.Change{Effective: map[string]policy.Effective{all[0]: v, all[1]: v, all[3]: v}})
	add(u, 1, fanout.Change{Effective: map[string]policy.Effective{all[2]: v, all[3]: undrained}})
	want := map[string]policy.Effective{all[0]: elsewhere, all[2]: v, all[3]: v}
	if have := flush(); !maps.Equal(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
	add(u, 0, fanout.Change{Sides: []policy.Side{{Share: 9000}, {Share: 1000}}})
	want = map[string]policy.Effective{all[0]: v, all[2]: elsewhere, all[3]: v}
	if have := flush(); !maps.Equal(want, have) {
		t.Errorf("another part splits the calls: want %v, have %v", want, have)
	}
	add(u, 0, fanout.Change{Up: all[:1], Effective: some})
	if have := flush(); len(have) > 0 {
		t.Errorf("one is back: want no value, have %v", have)
	}
}

// Of one that several parts lost together each part's word counts as it does of a member, also when
// only one of them has another word.
func TestUnionOfLostBySeveral(t *testing.T) {
	u, flush := ofTwo()
	both := []string{name(0), name(1)}
	says := func(v policy.Effective) map[string]policy.Effective {
		return map[string]policy.Effective{name(0): v}
	}
	add(u, 0, fanout.Change{Reset: true, Up: both, Effective: says(policy.Effective{Weight: 1, Side: 1}),
		Sides: []policy.Side{{Share: 10000}, {}}})
	add(u, 1, fanout.Change{Reset: true, Up: both, Effective: says(policy.Effective{Weight: 2})})
	flush()
	for n := range 2 {
		add(u, n, fanout.Change{Down: both})
	}
	flush()
	add(u, 1, fanout.Change{Effective: says(policy.Effective{Weight: 3})})
	want := says(policy.Effective{Weight: 1, Side: 1})
	if have := flush(); !maps.Equal(want, have) {
		t.Errorf("the second has another word: want %v, have %v", want, have)
	}
	add(u, 0, fanout.Change{Effective: says(policy.Effective{Weight: 4, Side: 1})})
	add(u, 1, fanout.Change{Effective: says(policy.Effective{Weight: 5, Drained: true})})
	want = says(policy.Effective{Weight: 4, Side: 1, Drained: true})
	if have := flush(); !maps.Equal(want, have) {
		t.Errorf("both have: want %v, have %v", want, have)
	}
}

// A part that has lost one before the union did has no more say in it.
func TestUnionOfOneThatMoved(t *testing.T) {
	u, flush := ofTwo()
	some, one := map[string]policy.Effective{}, []string{name(0)}
	for n := range 2 {
		add(u, n, fanout.Change{Reset: true, Up: one, Effective: some})
	}
	flush()
	for n := range 2 {
		add(u, n, fanout.Change{Down: one})
		flush()
	}
	drained := map[string]policy.Effective{name(0): {Weight: 7, Drained: true}}
	for n, want := range []map[string]policy.Effective{some, drained} {
		add(u, n, fanout.Change{Effective: drained})
		if have := flush(); !maps.Equal(want, have) {
			t.Errorf("part %d: want %v, have %v", n, want, have)
		}
	}
}

// What one change costs in a union of two parts with the same 10,000 instances.
func BenchmarkChange(b *testing.B) {
	names := make([]string, 10_000)
	for n := range names {
		names[n] = fmt.Sprintf("10.0.%d.%d:13", n>>8, n&255)
	}
	u := union.New(2)
	add(u, 0, fanout.Change{Reset: true, Up: names})
	add(u, 1, fanout.Change{Reset: true, Up: names})
	u.Flush()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		name := names[n%len(names) : n%len(names)+1]
		add(u, 0, fanout.Change{Down: name})
		u.Flush()
		add(u, 0, fanout.Change{Up: name})
		u.Flush()
	}
}

// What the beginning of that union costs.
func BenchmarkBegin(b *testing.B) {
	names := make([]string, 10_000)
	for n := range names {
		names[n] = fmt.Sprintf("10.0.%d.%d:13", n>>8, n&255)
	}
	for b.Loop() {
		u := union.New(2)
		add(u, 0, fanout.Change{Reset: true, Up: names})
		add(u, 1, fanout.Change{Reset: true, Up: names})
		u.Flush()
	}
}
