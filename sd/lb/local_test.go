package lb

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

func inZones(zones ...string) func(i int) policy.Effective {
	return func(i int) policy.Effective {
		return policy.Effective{Weight: 100, Zone: zones[i%len(zones)]}
	}
}

// Calls stay in the zone while it has its capacity, and spill in proportion as it falls.
func TestLocal(t *testing.T) {
	for _, name := range PickerNames() {
		synctest.Test(t, func(t *testing.T) {
			const n, picks = 30, 8_000
			f := newFleet(n)
			p, r := start(f, Ejection(time.Hour, time.Hour))
			defer p.Close()
			of := inZones("a", "b", "c")
			r.fn(sd.Change{Effective: effective(n, of)})
			synctest.Wait()
			inner, _ := ParsePicker(name)
			picker := Local("a", inner)
			for gone := 0; gone <= 10; gone++ {
				s, local := p.snapshot.Load(), 0
				for i := range picks {
					if picker.Pick(WithKey(t.Context(), fmt.Sprint(i)), s, nil).zone == "a" {
						local++
					}
				}
				left := float64(10 - gone)
				want := min(1, 1.4*left/((left+20)/3))
				if have := float64(local) / picks; math.Abs(want-have) > 0.03 {
					t.Errorf("%s, %v of 10 left: want %.3f of the calls, have %.3f", name, left, want, have)
				}
				if gone == 10 {
					break
				}
				victim := names(n)[3*gone] // every other is drained, the rest fail
				if gone%2 == 0 {
					e := of(0)
					e.Drained = true
					r.fn(sd.Change{Effective: map[string]policy.Effective{victim: e}})
				} else {
					f[victim].fail(errRefused)
					hit(t, p, victim, 1)
				}
				synctest.Wait()
			}
		})
	}
}

// A call whose zone fails goes on to the others, and a zone that nobody is in prefers none.
func TestLocalFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		r.fn(sd.Change{Effective: effective(4, inZones("a", "b"))})
		for _, i := range []int{0, 2} {
			f[names(4)[i]].fail(errors.New("not now"))
		}
		elsewhere := Classify(func(int, error) Verdict { return Elsewhere })
		ask(t, Retry(p, Local("a", NewRandom()), elsewhere), 20)
		for _, zone := range []string{"", "nowhere"} {
			before := f.calls()
			for range 400 {
				p.picking(Local(zone, NewRandom()))(t.Context(), 1)
			}
			for _, name := range names(4) {
				if have := f.since(before)[name]; have < 60 {
					t.Errorf("zone %q: want about 100 of 400 calls for %s, have %d", zone, name, have)
				}
			}
		}
	})
}

// The registry may say what it will: the number of zones that cost something is bounded.
func TestZonesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10 * maxZones
		p, r := start(newFleet(n))
		defer p.Close()
		r.fn(sd.Change{Effective: effective(n, func(i int) policy.Effective {
			return policy.Effective{Weight: 100, Zone: fmt.Sprint("z", i)}
		})})
		synctest.Wait()
		if have := len(p.snapshot.Load().lists); have > maxZones+1 {
			t.Errorf("lists: want %d at most, have %d", maxZones+1, have)
		}
		r.fn(sd.Change{Effective: effective(n, inZones("a"))})
		synctest.Wait()
		if have := len(p.snapshot.Load().lists); have != 1 || len(p.zones) != 1 {
			t.Errorf("one zone again: want 1 list, have %d", have)
		}
	})
}
