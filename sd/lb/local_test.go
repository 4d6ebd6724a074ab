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

// A registry that loses everybody has not moved them: calls stay in the zone.
func TestLocalInReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := start(newFleet(9))
		defer p.Close()
		r.fn(sd.Change{Effective: effective(9, inZones("a", "b", "c"))})
		r.down(names(9)...)
		synctest.Wait()
		picker, s := Local("a", NewRandom()), p.snapshot.Load()
		for range 200 {
			if have := picker.Pick(t.Context(), s, nil).zone; have != "a" {
				t.Fatalf("want each call in zone a, have one in %q", have)
			}
		}
	})
}

// The registry may say what it will: the number of zones that cost something is bounded, in the
// first set, in one that all have come back with, in those that take the place of others, and in
// what is said of instances that are there.
func TestZonesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10 * maxZones
		p, r := start(newFleet(n))
		defer p.Close()
		ownZones := func(from, to int) sd.Change {
			of := map[string]policy.Effective{}
			for i, name := range names(n)[from:to] {
				of[name] = policy.Effective{Weight: 100, Zone: fmt.Sprint("z", from+i)}
			}
			return sd.Change{Up: names(n)[from:to], Effective: of}
		}
		check := func(what string, most int) {
			t.Helper()
			synctest.Wait()
			zones := map[string]bool{}
			for _, m := range p.members {
				zones[m.zone] = true
			}
			lists := len(p.snapshot.Load().lists)
			if len(zones) > most || len(zones) != len(p.zones) || lists > most {
				t.Errorf("%s: want %d zones at most, have %d, counted %d, in %d lists",
					what, most, len(zones), len(p.zones), lists)
			}
		}
		all := ownZones(0, n)
		r.fn(sd.Change{Effective: all.Effective})
		check("changed", maxZones+1)
		r.withdraw(names(n)...)
		all.Reset = true
		r.fn(all)
		check("a whole set", maxZones+1)
		r.withdraw(names(n)...)
		for from := 0; from < n; from += maxZones {
			r.fn(ownZones(from, from+maxZones))
			synctest.Wait()
			r.down(names(n)[from : from+maxZones]...)
		}
		check("in reserve", maxZones+1)
		r.fn(sd.Change{Up: names(n), Effective: effective(n, inZones("a"))})
		check("one zone again", 1)
	})
}
