package lb

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// effective returns what the registry says of names(n), as of says.
func effective(n int, of func(i int) policy.Effective) map[string]policy.Effective {
	m := make(map[string]policy.Effective)
	for i, name := range names(n) {
		m[name] = of(i)
	}
	return m
}

func weighing(weights ...int) func(i int) policy.Effective {
	return func(i int) policy.Effective { return policy.Effective{Weight: weights[i%len(weights)]} }
}

// newPoolOf returns a pool of n members, of which the registry says as of does.
func newPoolOf(tb testing.TB, n int, of func(i int) policy.Effective) *Pool {
	tb.Helper()
	p, r := newTestPool(tb, n)
	r.fn(sd.Change{Effective: effective(n, of)})
	for range 2 {
		r.down("nobody") // the second returns when the change was taken in
	}
	return p
}

// wantParts wants each key to have its part of so many picks, give or take what within says of that.
// In one of a thousand runs one is further off by chance: the picks are made again, and count if one
// is again.
func wantParts[K comparable](t *testing.T, what string, parts map[K]float64, picks int,
	within func(part float64) float64, pick func(i int) K) {
	t.Helper()
	var off string
	for round := range 2 {
		counts := map[K]int{}
		for i := range picks {
			counts[pick(round*picks+i)]++
		}
		off = ""
		for key, part := range parts {
			want, have := float64(picks)*part, float64(counts[key])
			if math.Abs(have-want) > within(part) {
				off = fmt.Sprintf("%v: want %.0f ± %.0f, have %.0f", key, want, within(part), have)
			}
		}
		if off == "" {
			return
		}
	}
	t.Errorf("%s, %d picks, twice off: %s", what, picks, off)
}

// Weights 1:10:100: each picker gives each weight its share of a million picks, within four
// standard deviations, round robin within a thousandth.
func TestPickersHonourWeights(t *testing.T) {
	for _, n := range []int{3, 9_999} {
		p := newPoolOf(t, n, weighing(1, 10, 100))
		for _, name := range PickerNames() {
			picks := 1_000_000
			if name == "hash" && n > 1000 {
				picks /= 250 // it looks at all
			}
			picker, _ := ParsePicker(name)
			within := func(part float64) float64 {
				want := float64(picks) * part
				if name == "roundrobin" {
					return want / 1000
				}
				return 4 * math.Sqrt(want*(1-part))
			}
			parts := map[int]float64{1: 1. / 111, 10: 10. / 111, 100: 100. / 111}
			wantParts(t, fmt.Sprintf("n=%d, %s", n, name), parts, picks, within, func(i int) int {
				ctx := t.Context()
				if name == "hash" {
					ctx = WithKey(ctx, fmt.Sprint(i))
				}
				return picker.Pick(ctx, p.snapshot.Load(), nil).Weight()
			})
		}
	}
}

// Members of one weight share evenly also when their weight is no power of two, and round robin
// does so almost exactly.
func TestEvenWithinAWeight(t *testing.T) {
	const n, picks = 40, 400_000
	for _, weights := range [][]int{{7, 7, 7, 7, 1000}, {300, 513, 600, 999, 3}} {
		p := newPoolOf(t, n, weighing(weights...))
		sum := 0
		for _, w := range weights {
			sum += w * n / len(weights)
		}
		parts := map[string]float64{}
		for m := range p.snapshot.Load().all {
			parts[m.instance] = float64(m.Weight()) / float64(sum)
		}
		for _, name := range []string{"random", "roundrobin", "leastloaded", "ewma"} {
			picker, _ := ParsePicker(name)
			within := func(part float64) float64 {
				if name == "roundrobin" {
					return 6
				}
				return 5 * math.Sqrt(picks*part)
			}
			wantParts(t, fmt.Sprint(name, " ", weights), parts, picks, within, func(int) string {
				return picker.Pick(t.Context(), p.snapshot.Load(), nil).instance
			})
		}
	}
}

// Weights come and go with members and by themselves, in any order: totals, evenness and places are
// those of a naive count.
func TestPartitionsAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewSource(1))
		const n = 2 * span
		r := new(registry)
		p := NewPool(r, nop, nopLogger(), Reserve(0))
		defer p.Close()
		model := map[string]policy.Effective{}
		weights := []int{0, 1, 2, 3, 100, 100, 100, 128, 129, 1000}
		for range 300 {
			change := sd.Change{Effective: map[string]policy.Effective{}}
			for _, name := range names(n) {
				e, in := model[name]
				switch random.Intn(12) {
				case 0:
					if in {
						change.Down = append(change.Down, name)
						delete(model, name)
						continue
					}
					change.Up = append(change.Up, name)
					fallthrough
				case 1:
					if in || len(change.Up) > 0 && change.Up[len(change.Up)-1] == name {
						e.Weight = weights[random.Intn(len(weights))]
						e.Zone = fmt.Sprint("z", random.Intn(3))
						e.Drained = random.Intn(4) == 0
						change.Effective[name], model[name] = e, e
					}
				}
			}
			r.fn(change)
			synctest.Wait()
			s := p.snapshot.Load()
			total, open := uint64(0), 0
			for _, e := range model {
				if e.Weight > 0 && !e.Drained {
					total += uint64(e.Weight)
					open++
				}
			}
			if open > 0 && (s.total != total || s.n != open) {
				t.Fatalf("want %d open of weight %d, have %d of %d", open, total, s.n, s.total)
			}
			for m, w := range s.all {
				if e := model[m.instance]; open > 0 && (int(w) != e.Weight || m.zone != e.Zone || e.Drained) {
					t.Fatalf("%s: want %+v, have weight %d, zone %s", m.instance, e, w, m.zone)
				}
			}
			for _, l := range s.lists {
				even := true
				for i := range l.n {
					w := l.chunks[i/span].weights[i%span]
					even = even && w == l.chunks[0].weights[0]
					if uint64(w) > l.bound || 2*uint64(w) <= l.bound && l.bound > 1 {
						t.Fatalf("weight %d in a list of bound %d", w, l.bound)
					}
				}
				if l.even != even {
					t.Fatalf("even: want %v, have %v", even, l.even)
				}
			}
		}
	})
}

// A weight of 0 is picked only when nothing else can be, and when all have it nobody has.
func TestWeightZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range PickerNames() {
			f := newFleet(4)
			p, r := start(f)
			picker, _ := ParsePicker(name)
			call := keyed(Retry(p, picker))
			r.fn(sd.Change{Effective: effective(4, weighing(0, 100, 0, 100))})
			synctest.Wait()
			want := func(what string, instances ...string) {
				t.Helper()
				before := f.calls()
				drive(t.Context(), call, 200, time.Millisecond).wantNoFailure(t)
				have := f.since(before)
				for _, instance := range instances {
					delete(have, instance)
				}
				if len(have) > 0 || sum(f.since(before)) < 200 {
					t.Errorf("%s, %s: want calls to %v alone, have others %v", name, what, instances, have)
				}
			}
			all := names(4)
			want("two have a weight", all[1], all[3])
			f[all[1]].fail(errRefused)
			f[all[3]].fail(errRefused)
			hit(t, p, all[1], 1)
			hit(t, p, all[3], 1)
			want("these fail", all[0], all[2])
			f[all[1]].fail(nil)
			f[all[3]].fail(nil)
			hit(t, p, all[1], 1)
			hit(t, p, all[3], 1)
			want("these are back", all[1], all[3])
			r.fn(sd.Change{Effective: effective(4, weighing(0))})
			synctest.Wait()
			want("none has a weight", all...)
			if have := p.snapshot.Load().Len(); have != 4 {
				t.Errorf("open: want all 4, have %d", have)
			}
			p.Close()
		}
	})
}

// Members of weight 0, and those of a side without a part of the calls, are not asked whether they
// answer again either, while others are there; they are once these have left.
func TestWithoutAPartNobodyIsProbed(t *testing.T) {
	own := func(i int) policy.Effective { return policy.Effective{Weight: 100 * (i % 2)} }
	onSides := func(i int) policy.Effective { return policy.Effective{Weight: 100, Side: 1 - i%2} }
	for what, of := range map[string]func(int) policy.Effective{"weight": own, "side": onSides} {
		for _, name := range PickerNames() {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(4)
				p, r := start(f, Reserve(0))
				defer p.Close()
				r.fn(sd.Change{Effective: effective(4, of), Sides: []policy.Side{{Share: 100}, {}}})
				synctest.Wait()
				all := names(4)
				for _, i := range []int{0, 1, 2} {
					f[all[i]].fail(errRefused)
					hit(t, p, all[i], 1)
					f[all[i]].fail(nil)
				}
				time.Sleep(time.Minute)
				picker, _ := ParsePicker(name)
				call, before := keyed(Retry(p, picker)), f.calls()
				drive(t.Context(), call, 200, time.Millisecond).wantNoFailure(t)
				have := f.since(before)
				if len(have) != 2 || have[all[1]] == 0 || have[all[3]] == 0 {
					t.Errorf("%s, %s: want calls to those with a part, have %v", what, name, have)
				}
				r.down(all[1], all[3])
				synctest.Wait()
				drive(t.Context(), call, 200, time.Millisecond).wantNoFailure(t)
				if have := p.snapshot.Load().Len(); have != 2 {
					t.Errorf("%s, %s, these alone: want both open, have %d", what, name, have)
				}
			})
		}
	}
}

// Only what has to moves when a weight changes, and it moves to or from that member.
func TestHashMovementByWeight(t *testing.T) {
	const keys, n = 20_000, 20
	p, r := newTestPool(t, n)
	place := func() []string {
		r.down("nobody")
		r.down("nobody")
		places := make([]string, keys)
		for i := range places {
			ctx := WithKey(t.Context(), fmt.Sprint(i))
			places[i] = NewHash().Pick(ctx, p.snapshot.Load(), nil).Instance()
		}
		return places
	}
	before := place()
	changed := names(n)[7]
	r.fn(sd.Change{Effective: map[string]policy.Effective{changed: {Weight: 200}}})
	after := place()
	moved := 0
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		moved++
		if after[i] != changed {
			t.Fatalf("key %d moved from %s to %s", i, before[i], after[i])
		}
	}
	if want := keys * (2.0/21 - 1.0/20); math.Abs(float64(moved)-want) > want/5 {
		t.Errorf("keys moved: want about %.0f, have %d", want, moved)
	}
}

// Also where a call takes its turn on one of several parts of the members, a side of the policy or
// a zone, the turns of each part go round as if it were alone.
func TestTurnsOfAPart(t *testing.T) {
	const picks, n = 40_000, 8
	pair := func(side int, zone string) func(i int) policy.Effective { // the first two are a part
		return func(i int) policy.Effective {
			e := policy.Effective{Weight: []int{100, 128}[i%2]}
			if i < 2 {
				e.Side, e.Zone = side, zone
			}
			return e
		}
	}
	sides := []policy.Side{{Share: 6000}, {Share: 4000}}
	for what, test := range map[string]struct {
		of    func(i int) policy.Effective
		sides []policy.Side
		zone  string
	}{
		"sides":           {pair(1, ""), sides, ""},
		"a zone":          {pair(0, "a"), nil, "a"}, // which keeps 70 %
		"sides and zones": {pair(1, "a"), sides, "a"},
	} {
		p, r := newTestPool(t, n)
		r.fn(sd.Change{Effective: effective(n, test.of), Sides: test.sides})
		for range 2 {
			r.down("nobody")
		}
		picker := Local(test.zone, NewRoundRobin())
		s, counts := p.snapshot.Load(), map[string]int{}
		for range picks {
			side := s.side(t.Context(), picker, nil)
			counts[picker.Pick(t.Context(), side, nil).instance]++
		}
		names := names(n)
		for i := 0; i < n; i += 2 {
			light, both := counts[names[i]], counts[names[i]]+counts[names[i+1]]
			if want := float64(both) * 100 / 228; math.Abs(float64(light)-want) > 6 {
				t.Errorf("%s: want %.0f of %d picks at the lighter one of a pair, have %d", what, want,
					both, light)
			}
		}
	}
}
