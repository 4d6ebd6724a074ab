package lb

import (
	"testing"
	"testing/synctest"
	"time"
)

// share returns the share of calls, made at once, that go to instance. Of so many it is never a
// twentieth off by chance.
func share(t *testing.T, f fleet, p *Pool, picker Picker, instance string) float64 {
	const calls = 4000
	before := f.calls()
	ask(t, keyed(p.picking(picker)), calls)
	return float64(f.since(before)[instance]) / calls
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		p, r := start(f)
		defer p.Close()
		late := names(5)[4]
		r.reset(names(5)[:4]...)
		synctest.Wait()
		time.Sleep(time.Hour) // past the reserve too: it is new when it comes back
		r.up(late)
		synctest.Wait()
		for _, test := range []struct {
			after     time.Duration
			low, high float64 // a fifth is the full share
		}{
			{0, 0.005, 0.06},
			{5 * time.Second, 0.06, 0.16},
			{5 * time.Second, 0.15, 0.25},
		} {
			time.Sleep(test.after)
			synctest.Wait()
			if have := share(t, f, p, NewRandom(), late); have < test.low || have > test.high {
				t.Errorf("%v later: want a share of %v to %v, have %v", test.after, test.low, test.high, have)
			}
		}
	})
}

func TestTheFirstListIsWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		last := names(4)[3]
		r.reset(names(4)[:3]...)
		time.Sleep(9 * time.Second) // servers that start together with the client
		r.up(last)
		synctest.Wait()
		if have := share(t, f, p, NewRandom(), last); have < 0.2 {
			t.Errorf("want a full share, 0.25, have %v", have)
		}
	})
}

// Keys do not go to and fro while their member warms up.
func TestHashIgnoresSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f, Reserve(0))
		defer p.Close()
		late := names(4)[3]
		key := keyOf(p, late)
		r.down(late)
		time.Sleep(time.Hour)
		r.up(late)
		synctest.Wait()
		before := f.calls()
		call := p.picking(NewHash())
		for range 100 {
			call(WithKey(t.Context(), key), 1)
		}
		if want, have := int64(100), f.since(before)[late]; want != have {
			t.Errorf("want %d, have %d", want, have)
		}
	})
}

func TestAllNewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(8)
		p, r := start(f, Reserve(0))
		defer p.Close()
		r.reset(names(8)[:4]...)
		time.Sleep(time.Hour)
		r.reset(names(8)[4:]...)
		synctest.Wait()
		before := f.calls()
		ask(t, Retry(p, NewRandom()), 1000)
		if want, have := 4, len(f.since(before)); want != have {
			t.Errorf("members asked: want %d, have %d", want, have)
		}
	})
}
