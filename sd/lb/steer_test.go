package lb

import (
	"context"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	kitendpoint "github.com/go-kit/kit/endpoint"
)

// drain has the policy drain instances, and no others.
func drain(r *registry, n int, instances ...string) {
	r.fn(sd.Change{Effective: effective(n, func(i int) policy.Effective {
		e := policy.Effective{Weight: 100}
		for _, instance := range instances {
			e.Drained = e.Drained || instance == names(n)[i]
		}
		return e
	})})
	synctest.Wait()
}

// However many are drained, no call goes there while one that is not can answer, or one in reserve.
func TestDrainedGetNoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range PickerNames() {
			f := newFleet(5)
			p, r := start(f)
			picker, _ := ParsePicker(name)
			call := keyed(Retry(p, picker))
			all := names(5)
			want := func(what string, instances ...string) {
				t.Helper()
				before := f.calls()
				drive(t.Context(), call, 200, time.Millisecond).wantNoFailure(t)
				have := f.since(before)
				for _, instance := range instances {
					delete(have, instance)
				}
				if len(have) > 0 {
					t.Errorf("%s, %s: want calls to %v alone, have others %v", name, what, instances, have)
				}
			}
			drain(r, 5, all[:4]...)
			want("four of five are drained", all[4])
			if have := stat(p, all[0]).State; have != "drained" {
				t.Errorf("state: want drained, have %s", have)
			}
			r.down(all[4]) // lost
			synctest.Wait()
			want("the fifth is in reserve", all[4])
			r.down(all[3])
			synctest.Wait()
			want("a drained one is lost: it is in no reserve", all[4])
			if have := p.members[all[3]]; have != nil {
				t.Errorf("want it gone, have %+v", have)
			}
			f[all[4]].fail(errRefused)
			drive(t.Context(), call, 1, time.Millisecond).wantNoFailure(t)
			want("the reserve is gone", all[:3]...)
			r.up(all[4])
			synctest.Wait()
			drive(t.Context(), call, 20, time.Millisecond).wantNoFailure(t)
			want("who is not drained is known to fail", all[:3]...)
			p.Close()
		}
	})
}

// A server that is drained while it is ejected is told to be both.
func TestStatOfOneThatIsDrainedAndEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, r := start(f)
		defer p.Close()
		victim := names(3)[0]
		f[victim].fail(errRefused)
		hit(t, p, victim, 1)
		for _, drained := range []bool{false, true} {
			if drained {
				drain(r, 3, victim)
			}
			synctest.Wait()
			if have := stat(p, victim); have.State != "ejected" || have.Drained != drained {
				t.Errorf("want it ejected, and drained %v, have %+v", drained, have)
			}
		}
	})
}

// Draining more than half does not open the reserve: what is drained is not counted.
func TestDrainedAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(10)
		p, r := start(f)
		defer p.Close()
		all := names(10)
		r.down(all[8:]...) // two are lost
		drain(r, 10, all[:5]...)
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 300, time.Millisecond).wantNoFailure(t)
		have := f.since(before)
		if len(have) != 3 || have[all[8]] > 0 {
			t.Errorf("want calls to the three that are listed and not drained, have %v", have)
		}
		drain(r, 10, all[:7]...) // one is left, against two in reserve
		before = f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 300, time.Millisecond).wantNoFailure(t)
		if have := f.since(before); len(have) != 3 || have[all[7]] > 150 {
			t.Errorf("want calls to it and the reserve, have %v", have)
		}
	})
}

// A drain ends calls in flight as little as anything else; undrained, a member takes its share
// gradually. A drained one gets no probes.
func TestUndrainedComesBackSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		name := names(4)[0]
		time.Sleep(time.Hour)
		f[name].latency = time.Second
		answered := make(chan error)
		go func() {
			_, err := p.endpoint(p.members[name])(t.Context(), 1)
			answered <- err
		}()
		synctest.Wait()
		drain(r, 4, name)
		if err := <-answered; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		f[name].latency = 0
		f[name].fail(errRefused)
		hit(t, p, name, 1)
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 1000, 100*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[name]; have != 0 {
			t.Errorf("drained: want no probe, have %d", have)
		}
		f[name].fail(nil)
		hit(t, p, name, 1)
		drain(r, 4)
		if have := share(t, f, p, NewRandom(), name); have > 0.08 {
			t.Errorf("at first: want a small share, have %v", have)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if have := share(t, f, p, NewRandom(), name); have < 0.2 {
			t.Errorf("10 s later: want a full share, 0.25, have %v", have)
		}
	})
}

// However long endpoints take to make, the first calls do not go to what is drained, nor to a weight
// of 0, because others have no endpoint yet.
func TestEndpointsOfOthersAreMadeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 8
		f, r := newFleet(n), new(registry)
		slow := func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
			time.Sleep(50 * time.Millisecond)
			return f.factory(instance)
		}
		p := NewPool(r, slow, nopLogger())
		defer p.Close()
		all := names(n)
		go r.fn(sd.Change{Reset: true, Up: all, Effective: effective(n, func(i int) policy.Effective {
			return policy.Effective{Weight: 100 * (i % 2), Drained: i < n-2}
		})})
		drive(t.Context(), Retry(p, NewRandom()), 100, 10*time.Millisecond).wantNoFailure(t)
		if have := f.calls(); have[all[n-1]] != 100 {
			t.Errorf("want all calls to %s, have %v", all[n-1], have)
		}
	})
}

// Where all are drained and so picked, they are treated like any others: one that failed is asked
// again, as are those of weight 0 if there are no others. With one left that is not drained no
// probe goes to them.
func TestDrainedAreProbedWherePicked(t *testing.T) {
	for _, name := range PickerNames() {
		for _, weight := range []int{100, 0} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(4)
				p, r := start(f)
				defer p.Close()
				all := names(4)
				picker, _ := ParsePicker(name)
				call := keyed(Retry(p, picker))
				steer := func(undrained string) {
					r.fn(sd.Change{Effective: effective(4, func(i int) policy.Effective {
						return policy.Effective{Weight: weight, Drained: all[i] != undrained}
					})})
					synctest.Wait()
				}
				steer("")
				f[all[0]].fail(errRefused)
				hit(t, p, all[0], 1)
				f[all[0]].fail(nil)
				before := f.calls()
				drive(t.Context(), call, 1000, 10*time.Millisecond).wantNoFailure(t)
				if have := f.since(before)[all[0]]; have < 100 {
					t.Errorf("%s, weight %d, all are drained: want about 250 calls to one that failed once, "+
						"have %d", name, weight, have)
				}
				f[all[0]].fail(errRefused)
				hit(t, p, all[0], 1)
				steer(all[1])
				before = f.calls()
				drive(t.Context(), call, 1000, 10*time.Millisecond).wantNoFailure(t)
				if have := f.since(before); len(have) != 1 {
					t.Errorf("%s, weight %d, one is not drained: want calls to that alone, have %v", name,
						weight, have)
				}
			})
		}
	}
}

// That one of them answers again says nothing about the others, while some of them have answered all
// the time.
func TestDrainedAreNotAllDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		all := names(4)
		drain(r, 4, all...)
		for _, name := range all[:2] {
			f[name].fail(errRefused)
			hit(t, p, name, 1)
		}
		f[all[0]].fail(nil)
		hit(t, p, all[0], 1)
		if have := stat(p, all[1]).State; have != "ejected" {
			t.Errorf("want the other one ejected, have it %s", have)
		}
	})
}

// With a Hash the probes of a side are calls whose key is on it.
func TestKeyDecidesTheSideOfAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		canaries(r, 4, 1, 30)
		canary := names(4)[0]
		side := map[string]bool{} // of each key: the canary's
		key := func(i int) context.Context { return WithKey(t.Context(), fmt.Sprint(i)) }
		const keys = 1000
		for i := range keys {
			m := p.pick(key(i), NewHash(), nil, nil)
			m.end()
			side[fmt.Sprint(i)] = m.instance == canary
		}
		f[canary].fail(errRefused)
		probes := 0
		for i := range keys {
			hit(t, p, canary, 1)
			time.Sleep(time.Minute)
			synctest.Wait()
			p.sinceProbe.Store(probeEvery << maxDoublings) // no probe is answered here
			m, isProbe := p.pickFirst(key(i), NewHash())
			p.invoke(t.Context(), attempt{member: m, probe: isProbe, route: &p.route}, 1)
			if isProbe != side[fmt.Sprint(i)] {
				t.Fatalf("key %d, the canary's %v: want that, have a probe %v of %s", i,
					side[fmt.Sprint(i)], isProbe, m.instance)
			}
			if isProbe {
				probes++
			}
		}
		if probes < keys/5 {
			t.Errorf("want about 300 probes, have %d", probes)
		}
	})
}

// canaries makes the first of n members the side that gets percent of the calls.
func canaries(r *registry, n, canaries, percent int) {
	r.fn(sd.Change{
		Sides: []policy.Side{{Share: 100 * (100 - percent)}, {Share: 100 * percent}},
		Effective: effective(n, func(i int) policy.Effective {
			e := policy.Effective{Weight: 100}
			if i < canaries {
				e.Side = 1
			}
			return e
		}),
	})
	synctest.Wait()
}

// One of twenty gets a tenth of the calls; when it is killed no call fails, and the others have
// all.
func TestShares(t *testing.T) {
	const calls = 20_000
	for _, name := range PickerNames() {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(20)
			p, r := start(f)
			defer p.Close()
			canary := names(20)[0]
			canaries(r, 20, 1, 10)
			picker, _ := ParsePicker(name)
			call := keyed(Retry(p, picker))
			percent := func() float64 {
				before := f.calls()
				drive(t.Context(), call, calls, time.Millisecond).wantNoFailure(t)
				return 100 * float64(f.since(before)[canary]) / calls
			}
			have := percent()
			if math.Abs(have-10) > 0.9 { // four standard deviations: or it was chance
				have = percent()
			}
			if math.Abs(have-10) > 0.9 {
				t.Errorf("%s: want 10 ± 0.9 %%, have %.2f", name, have)
			}
			f[canary].fail(errRefused)
			before := f.calls()
			drive(t.Context(), call, 2000, time.Millisecond).wantNoFailure(t)
			if have := f.since(before)[canary]; have > 5 {
				t.Errorf("%s: want probes alone, have %d", name, have)
			}
			r.fn(sd.Change{Sides: []policy.Side{{Share: 10_000}}, Effective: effective(20, weighing(100))})
			f[canary].fail(nil)
			time.Sleep(time.Minute)
			drive(t.Context(), call, 100, time.Millisecond)
			if have := percent(); math.Abs(have-5) > 1 {
				t.Errorf("%s, no share any more: want 5 %%, have %.2f", name, have)
			}
		})
	}
}

// A call whose attempt failed on one side goes on to the other.
func TestFailedSideGoesOnToTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(10)
		p, r := start(f)
		defer p.Close()
		canaries(r, 10, 5, 100)
		for _, name := range names(10)[:5] {
			f[name].fail(errRefused)
		}
		ctx, tries := WithTries(t.Context())
		ask(t, func(_ context.Context, request any) (any, error) {
			return Retry(p, NewRandom())(ctx, request)
		}, 1)
		if have := *tries; len(have) != 2 || have[0].Err == nil || have[1].Err != nil {
			t.Errorf("want two attempts, the second on the other side, have %+v", have)
		}
	})
}

// A side that the operator gave no part of the calls gets none that failed elsewhere either, while
// somebody is left there; then it is the last resort.
func TestSideWithoutAPartIsTheLastResort(t *testing.T) {
	for _, name := range PickerNames() {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(10)
			p, r := start(f)
			defer p.Close()
			canaries(r, 10, 5, 0)
			all := names(10)
			for _, name := range all[5:9] {
				f[name].fail(errRefused)
			}
			picker, _ := ParsePicker(name)
			call := keyed(Retry(p, picker))
			before := f.calls()
			drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
			for _, instance := range all[:5] {
				if have := f.since(before)[instance]; have > 0 {
					t.Errorf("%s: want no call to %s, have %d", name, instance, have)
				}
			}
			f[all[9]].fail(errRefused)
			drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
		})
	}
}

// Nor does an attempt beside a slow one go to a side without a part while somebody else is left.
func TestSlowCallsKeepFromASideWithoutAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(7)
		p, r := start(f)
		defer p.Close()
		all := names(7)
		r.fn(sd.Change{
			Sides: []policy.Side{{Share: 5000}, {Share: 5000}, {}},
			Effective: effective(7, func(i int) policy.Effective {
				return policy.Effective{Weight: 100, Side: min(i, 2)}
			}),
		})
		f[all[0]].latency, f[all[1]].latency = 900*time.Millisecond, 900*time.Millisecond
		synctest.Wait()
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom(), Idempotent(), Shares(4), Budget(1, 1000)), 100,
			time.Millisecond).wantNoFailure(t)
		if have := f.since(before); have[all[0]] < 50 || have[all[1]] < 50 || len(have) > 2 {
			t.Errorf("want calls to the sides with a part alone, have %v", have)
		}
	})
}

// An attempt beside a slow one is drawn like any call: a side gets its share of these as well.
func TestSharesOfSlowCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(20)
		for _, s := range f {
			s.latency = 900 * time.Millisecond
		}
		p, r := start(f)
		defer p.Close()
		canaries(r, 20, 2, 10)
		call := Retry(p, NewRandom(), Idempotent(), Budget(1, 1000))
		drive(t.Context(), call, 4000, time.Millisecond).wantNoFailure(t)
		calls, canary := f.calls(), int64(0)
		for _, name := range names(20)[:2] {
			canary += calls[name]
		}
		have := float64(canary) / float64(sum(calls))
		if sum(calls) < 7800 || have < 0.08 || have > 0.12 {
			t.Errorf("want 10 %% of 8000 attempts, have %.3f of %d", have, sum(calls))
		}
	})
}

// A key stays on its side, in every client.
func TestKeyDecidesTheSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := [2]map[int]string{{}, {}}
		for client := range places {
			f := newFleet(20)
			p, r := start(f)
			canaries(r, 20, 2, 30)
			side := 0
			for key := range 2000 {
				m := p.pick(WithKey(t.Context(), fmt.Sprint(key)), NewHash(), nil, nil)
				m.end()
				places[client][key] = m.instance
				side += int(m.side.Load())
			}
			if have := float64(side) / 2000; math.Abs(have-0.3) > 0.05 {
				t.Errorf("keys on the side: want 0.3, have %v", have)
			}
			p.Close()
		}
		for key, place := range places[0] {
			if other := places[1][key]; place != other {
				t.Errorf("key %d: want one member for all clients, have %s and %s", key, place, other)
			}
		}
	})
}

// Who is drained counts neither among the listed nor in the reserve, also while it fails.
func TestDrainedOnesThatFailAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(6)
		p, r := start(f)
		defer p.Close()
		all := names(6)
		r.down(all[3:]...)
		synctest.Wait()
		f[all[0]].fail(errRefused)
		hit(t, p, all[0], 1)
		open := func(when string, want int) {
			t.Helper()
			if have := p.snapshot.Load().Len(); want != have {
				t.Errorf("%s: want %d open, have %d", when, want, have)
			}
		}
		open("three listed, of which one fails, and three in reserve", 2)
		drain(r, 3, all[0])
		open("it is drained: two beside three in reserve", 5)
		drain(r, 3)
		open("it is not drained any more", 2)
	})
}

// Who is in reserve is taken over by the policy as well, and leaves when drained: also where that is
// told with the loss.
func TestDrainedInReserve(t *testing.T) {
	drained := map[string]policy.Effective{names(5)[4]: {Weight: 100, Drained: true}}
	for _, changes := range [][]sd.Change{
		{{Down: names(5)[2:]}, {Effective: drained}},
		{{Down: names(5)[2:], Effective: drained}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(5)
			p, r := start(f)
			defer p.Close()
			all := names(5)
			for _, c := range changes {
				r.fn(c)
			}
			synctest.Wait()
			before := f.calls()
			drive(t.Context(), Retry(p, NewRandom()), 200, time.Millisecond).wantNoFailure(t)
			if have := f.since(before); len(have) != 2 || have[all[0]] == 0 || have[all[1]] == 0 {
				t.Errorf("want calls to the two that are listed, have %v", have)
			}
			if have := stat(p, all[4]).State; have != "gone" && have != "" {
				t.Errorf("want it gone, have it %s", have)
			}
			if want, have := int64(1), f[all[4]].closed.Load(); want != have {
				t.Errorf("want its endpoint closed, have %d", have)
			}
		})
	}
}

// One that is lost, and not drained any more, is in reserve like any other: also where both are told
// together, as when the data of a registry are gone.
func TestUndrainedWithItsLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, r := start(f)
		defer p.Close()
		all := names(3)
		r.fn(sd.Change{Effective: map[string]policy.Effective{all[2]: {Weight: 100, Drained: true}}})
		r.fn(sd.Change{Down: all[1:], Effective: map[string]policy.Effective{all[2]: {Weight: 100}}})
		synctest.Wait()
		for _, name := range all[1:] {
			if have := stat(p, name).State; have != "reserve" {
				t.Errorf("%s: want it in reserve, have it %q", name, have)
			}
		}
	})
}

// One of weight 0 is not probed while members of more weight can be picked, in reserve as well.
func TestNoProbeOfWeight0BesideTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, r := start(f)
		defer p.Close()
		all := names(3)
		r.fn(sd.Change{Down: all[1:], Effective: effective(1, weighing(0))})
		f[all[0]].fail(errRefused)
		hit(t, p, all[0], 1)
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 200, 100*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[all[0]]; have > 0 {
			t.Errorf("want no call to it, have %d", have)
		}
	})
}
