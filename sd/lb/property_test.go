package lb

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"pgregory.net/rapid"
)

// A world is a Pool and the model of it, which take the same steps.
type world struct {
	model
	pool     *Pool
	registry *registry
	fleet    fleet
	keys     int // that picks were made for
}

func newWorld() *world {
	w := &world{
		model:    model{members: map[string]*modelMember{}, failing: map[string]bool{}},
		registry: new(registry), fleet: newFleet(8),
	}
	w.pool = NewPool(w.registry, w.fleet.factory, nopLogger(),
		Reserve(time.Hour), SlowStart(0), Ejection(time.Hour, time.Hour))
	w.registry.reset()
	return w
}

func genEffective() *rapid.Generator[policy.Effective] {
	return rapid.Custom(func(t *rapid.T) policy.Effective {
		weights := []int{0, 3, 4, 100, 100, 100, 120, 128, 1000} // some are of one class
		return policy.Effective{
			Weight:  rapid.SampledFrom(weights).Draw(t, "weight"),
			Zone:    rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "zone"),
			Drained: rapid.IntRange(0, 3).Draw(t, "drained") == 0,
			Side:    rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "side"),
		}
	})
}

// step does one thing to the world: an instance comes, changes, leaves or fails, or the shares do.
func (w *world) step(t *rapid.T) {
	name := rapid.SampledFrom(names(8)).Draw(t, "instance")
	m, known := w.members[name]
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1, 2:
		w.list(name, genEffective().Draw(t, "effective"))
	case 3:
		e := genEffective().Draw(t, "effective")
		if known && m.listed {
			weight := e.Weight
			e = m.effective
			e.Weight = weight
			w.list(name, e)
		} else if known {
			w.registry.fn(sd.Change{Effective: map[string]policy.Effective{name: e}})
			if m.effective = e; e.Drained {
				w.forget(name)
			}
		}
	case 4:
		w.registry.down(name)
		if known && m.effective.Drained && m.listed {
			w.forget(name)
		} else if known {
			m.listed = false
		}
	case 5:
		w.registry.withdraw(name)
		w.forget(name)
	case 6:
		sides := []policy.Side{{}, {}, {}}[:rapid.SampledFrom([]int{1, 2, 3}).Draw(t, "sides")]
		for i := range sides {
			sides[i].Share = rapid.IntRange(0, 100).Draw(t, "share")
			if i > 0 {
				sides[i].Selector, _ = policy.ParseSelector(fmt.Sprintf("side=%d", i))
			}
		}
		w.sides = sides
		w.registry.fn(sd.Change{Sides: sides})
	default:
		w.settle()
		if known && m.listed {
			m.failing = rapid.Bool().Draw(t, "fails")
			w.fleet[name].fail(map[bool]error{true: errReset}[m.failing])
			member := w.pool.members[name]
			member.begin()
			w.pool.invoke(context.Background(), attempt{member: member, route: &w.pool.route}, 1)
		}
	}
}

func (w *world) list(name string, e policy.Effective) {
	w.registry.fn(sd.Change{Up: []string{name}, Effective: map[string]policy.Effective{name: e}})
	m := w.members[name]
	if m == nil {
		m = &modelMember{failing: w.failing[name]}
		w.members[name] = m
	}
	m.listed, m.effective = true, e
}

func (w *world) forget(name string) {
	if m := w.members[name]; m != nil {
		w.failing[name] = m.failing
		delete(w.members, name)
	}
}

// settle returns when all changes were taken in.
func (w *world) settle() {
	for range 2 {
		w.registry.down("nobody")
	}
}

// count makes picks, each for a key of its own if the picker goes by keys. No member is known to be
// faster than another.
func (w *world) count(picker Picker, picks int) map[string]int {
	for _, m := range w.pool.members {
		m.latency.Forget()
	}
	s, counts := w.pool.snapshot.Load(), map[string]int{}
	for range picks {
		ctx := context.Background()
		if isSticky(picker) {
			w.keys++
			ctx = WithKey(ctx, fmt.Sprint(w.keys))
		}
		if m := picker.Pick(ctx, s.side(ctx, picker, nil), nil); m != nil {
			counts[m.instance]++
		}
	}
	return counts
}

// outlier returns an instance that did not get its part of the picks, within four standard
// deviations and, as small parts have no normal distribution, three picks; or within thirty picks if
// it is to come in turn.
func outlier(parts map[string]float64, counts map[string]int, picks int, inTurn bool) string {
	for _, name := range names(8) {
		want := float64(picks) * parts[name]
		within := 4*math.Sqrt(want*(1-parts[name])) + 3
		if inTurn {
			within = 30
		}
		if want == 0 {
			within = 0
		}
		if have := float64(counts[name]); math.Abs(have-want) > within {
			return fmt.Sprintf("%s: want %.0f ± %.0f, have %.0f", name, want, within, have)
		}
	}
	return ""
}

// check compares what each picker picks with what the model says. By chance that differs in some of
// the thousands of comparisons of a run: they are made again, with ten times as many picks, and with
// ten times as many once more.
func (w *world) check(t *rapid.T) {
	const picks, most = 2000, 200_000
	w.settle()
	for _, zone := range []string{"", "a"} {
		parts := w.parts(zone)
		for _, name := range PickerNames() {
			picker, _ := ParsePicker(name)
			picker = Local(zone, picker)
			inTurn := name == "roundrobin" && zone == "" && len(w.sides) < 2
			bad := "not asked"
			for n := picks; n <= most && bad != ""; n *= 10 {
				bad = outlier(parts, w.count(picker, n), n, inTurn)
			}
			if bad != "" {
				for instance, m := range w.members {
					t.Logf("%s: %+v", instance, *m)
				}
				t.Fatalf("%s, zone %q, sides %v: %s", name, zone, w.sides, bad)
			}
		}
	}
}

// While instances come, change, fail and leave, each picker gives each one the part of the calls
// that the model says.
func TestPicksAreTheModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		defer w.pool.Close()
		for i := range 60 {
			w.step(t)
			if i%12 == 11 {
				w.check(t)
			}
		}
	})
}
