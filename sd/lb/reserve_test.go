package lb

import (
	"errors"
	"math"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	kitlb "github.com/go-kit/kit/sd/lb"
)

// A registry that loses everybody, or nearly, while the servers live: no call fails, and the load
// stays spread.
func TestMassRemovalWhileServersLive(t *testing.T) {
	for _, stay := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(5)
			p, r := start(f)
			defer p.Close()
			call := Retry(p, NewRoundRobin())
			ask(t, call, 50)
			r.reset(names(5)[:stay]...)
			synctest.Wait()
			before := f.calls()
			drive(t.Context(), call, 390, 100*time.Millisecond).wantNoFailure(t)
			for name, n := range f.since(before) {
				if want := int64(390 / 5); n != want {
					t.Errorf("%d stay, %s: want %d calls, have %d", stay, name, want, n)
				}
			}
			r.reset(names(5)...)
			drive(t.Context(), call, 100, 100*time.Millisecond).wantNoFailure(t)
			for name, s := range f {
				if want, have := int64(1), s.made.Load(); want != have {
					t.Errorf("%s: want %d endpoint throughout, have %d", name, want, have)
				}
			}
		})
	}
}

func TestGracefulRemovalGetsNoTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, r := start(f)
		defer p.Close()
		gone := names(3)[1]
		r.down(gone)
		synctest.Wait()
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 1000, 10*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[gone]; have != 0 {
			t.Errorf("want no call to who left, have %d", have)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if want, have := int64(1), f[gone].closed.Load(); want != have {
			t.Errorf("after 41 s: want it closed, have %d", have)
		}
	})
}

// Servers that left for good: they refuse, and are dropped one by one, with no call failing while
// one of them lives.
func TestLegitimateScaleDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(10)
		p, r := start(f)
		defer p.Close()
		stays := names(10)[0]
		for name, s := range f {
			if name != stays {
				s.fail(errRefused)
			}
		}
		r.reset(stays)
		synctest.Wait()
		drive(t.Context(), Retry(p, NewRandom()), 1500, 20*time.Millisecond).wantNoFailure(t)
		// As many as are listed are not asked, hence not found out.
		if have := p.tiers[reserved].n; have > 1 {
			t.Errorf("in reserve: want at most 1, have %d", have)
		}
	})
}

// Zero instances is an answer too: the bound is 40 s if they go on to answer, and a call each if
// they do not.
func TestScaleToZero(t *testing.T) {
	for _, alive := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(3)
			p, r := start(f)
			defer p.Close()
			if !alive {
				for _, s := range f {
					s.fail(errRefused)
				}
			}
			r.reset()
			synctest.Wait()
			call := Retry(p, NewRandom(), Timeout(100*time.Millisecond))
			if alive {
				time.Sleep(40*time.Second - 1)
				ask(t, call, 10)
				time.Sleep(2 * time.Nanosecond)
				synctest.Wait()
			} else if _, err := call(t.Context(), 1); err == nil {
				t.Error("want an error from dead servers")
			}
			if _, err := call(t.Context(), 1); !errors.Is(err, kitlb.ErrNoEndpoints) {
				t.Errorf("alive=%v: want %v, have %v", alive, kitlb.ErrNoEndpoints, err)
			}
			for name, s := range f {
				if want, have := int64(1), s.closed.Load(); want != have {
					t.Errorf("alive=%v, %s closed: want %d, have %d", alive, name, want, have)
				}
			}
		})
	}
}

// The reserve answers when every listed member has failed in this call, and only then.
func TestReserveIsTheLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		left := names(4)[3]
		r.down(left)
		synctest.Wait()
		for _, name := range names(4)[:3] {
			f[name].fail(errRefused)
		}
		before := f.calls()
		ctx, trace := WithTrace(t.Context())
		if _, err := Retry(p, NewRandom())(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if want := (Trace{Instance: left, Attempts: 4}); want != *trace {
			t.Errorf("want %+v, have %+v", want, *trace)
		}
		if want, have := 4, len(f.since(before)); want != have {
			t.Errorf("members asked: want %d, have %d", want, have)
		}
	})
}

func TestReserveCountsFromTheLatestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1)
		p, r := start(f)
		defer p.Close()
		name := names(1)[0]
		for range 3 { // leaves at 0, 30 and 60 s
			r.down(name)
			time.Sleep(20 * time.Second)
			r.up(name)
			time.Sleep(10 * time.Second)
		}
		r.down(name) // at 90 s
		time.Sleep(39 * time.Second)
		wantListed(t, p, name)
		time.Sleep(time.Second)
		wantListed(t, p)
	})
}

// Thousands that came and left in order are no reason to doubt the registry: the reserve is tried,
// found dead, and left alone, and no call fails while those that are listed live.
func TestChurnDoesNotPoisonTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1000)
		p, r := start(f)
		defer p.Close()
		r.reset(names(1000)...)
		synctest.Wait()
		stay := names(1000)[:5]
		for _, name := range names(1000)[5:] {
			f[name].fail(errRefused)
		}
		r.reset(stay...)
		synctest.Wait()
		drive(t.Context(), Retry(p, NewRandom()), 15000, 2*time.Millisecond).wantNoFailure(t)
	})
}

// Failures of this side, or of the request, say nothing about a member in reserve.
func TestReserveOutlivesErrorsThatAreNotItsOwn(t *testing.T) {
	for _, failure := range []error{syscall.EMFILE, syscall.ENETUNREACH, errors.New("bad request")} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(5)
			p, r := start(f)
			defer p.Close()
			call := Retry(p, NewRandom())
			r.reset()
			synctest.Wait()
			for _, s := range f {
				s.fail(failure)
			}
			if _, err := call(t.Context(), 1); !errors.Is(err, failure) {
				t.Errorf("want %v, have %v", failure, err)
			}
			for _, s := range f {
				s.fail(nil)
			}
			ask(t, call, 10)
		})
	}
}

func TestReserveOutlivesImpatientCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		for _, s := range f {
			s.latency = 50 * time.Millisecond
		}
		p, r := start(f)
		defer p.Close()
		call := Retry(p, NewRandom())
		r.reset()
		synctest.Wait()
		for range 5 {
			withPatience(30*time.Millisecond, call)(t.Context(), 1)
		}
		ask(t, call, 10)
	})
}

// Dead leavers of last month are no reason to mistrust the reserve of today.
func TestMistrustIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(13)
		p, r := start(f)
		defer p.Close()
		for _, name := range names(13)[10:] {
			r.down(name)
			synctest.Wait()
			f[name].fail(errRefused)
			hit(t, p, name, 1)
		}
		time.Sleep(30 * 24 * time.Hour)
		stays, dead := names(13)[0], names(13)[1]
		r.reset(stays) // the registry loses nine, of which eight live
		synctest.Wait()
		f[dead].fail(errRefused)
		hit(t, p, dead, 1)
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 100, 9*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[stays]; have > 40 {
			t.Errorf("to the one that is listed: want about a ninth, have %d of 100", have)
		}
	})
}

// Nobody else is listed: go-kit's side finds the reserve as well, even one that is mistrusted.
func TestReserveBehindGoKitsInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		p, r := start(f)
		defer p.Close()
		r.reset()
		synctest.Wait()
		for _, name := range names(5)[:maxReserveFailures] {
			f[name].fail(errRefused)
			hit(t, p, name, 1)
		}
		endpoints, err := p.Endpoints()
		if want, have := 2, len(endpoints); want != have || err != nil {
			t.Errorf("endpoints: want %d, have %d, %v", want, have, err)
		}
		ask(t, kitlb.Retry(3, time.Second, p.Balancer(NewRandom())), 10)
	})
}

// As long as can be said is no overflow, with which no timer went off any more.
func TestReserveForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, r := start(f, Reserve(math.MaxInt64), SlowStart(math.MaxInt64))
		defer p.Close()
		time.Sleep(time.Second)
		lost, ejected := names(3)[0], names(3)[1]
		r.down(lost)
		f[ejected].fail(errRefused)
		hit(t, p, ejected, 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		for instance, want := range map[string]string{lost: "reserve", ejected: "listed"} {
			if have := stat(p, instance).State; want != have {
				t.Errorf("%s an hour later: want %s, have %s", instance, want, have)
			}
		}
	})
}
