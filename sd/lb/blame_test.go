package lb

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
)

// A few errors that may be the requests' own take nobody out of rotation.
func TestErrorsOfRequestsAccuseNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		p, _ := start(f)
		defer p.Close()
		for _, name := range names(5)[:4] {
			f[name].fail(errors.New("the request's own"))
			hit(t, p, name, maxFailures-1)
			f[name].fail(nil)
		}
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 900, time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[names(5)[4]]; have > 300 {
			t.Errorf("to the only one without an error: want about 180 of 900 calls, have %d", have)
		}
	})
}

// withPatience gives each call so much time. Callers with less than the servers take learn nothing
// about them.
func withPatience(d time.Duration, call kitendpoint.Endpoint) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return call(ctx, request)
	}
}

func TestImpatientCallersAccuseNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		for _, s := range f {
			s.latency = 50 * time.Millisecond
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom())
		go drive(t.Context(), withPatience(30*time.Millisecond, call), 1000, 10*time.Millisecond)
		drive(t.Context(), call, 500, 20*time.Millisecond).wantNoFailure(t)
		for _, s := range p.Stats() {
			if s.Ejections > 0 {
				t.Errorf("%s serves those who wait for it: want no ejection, have %d", s.Instance, s.Ejections)
			}
		}
	})
}

// Where all callers are impatient, one that answers nobody is found out all the same.
func TestImpatientCallersFindOutWhoHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, _ := start(f)
		defer p.Close()
		hangs := names(4)[0]
		f[hangs].fail(errEndless)
		call := withPatience(90*time.Millisecond, Retry(p, NewRandom(), Idempotent()))
		drive(t.Context(), call, 300, 10*time.Millisecond).wantNoFailure(t)
		before := f.calls()
		drive(t.Context(), call, 1000, 10*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[hangs]; have > 10 {
			t.Errorf("want a probe a second at most in 10 s, have %d calls", have)
		}
	})
}

// Each picker asks a member that failed for a moment again, about when its time apart is over.
func TestEveryPickerProbes(t *testing.T) {
	for _, name := range PickerNames() {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(3)
			for _, s := range f {
				s.latency = 5 * time.Millisecond
			}
			p, _ := start(f)
			defer p.Close()
			picker, err := ParsePicker(name)
			if err != nil {
				t.Fatal(err)
			}
			call := keyed(Retry(p, picker))
			drive(t.Context(), call, 300, 5*time.Millisecond).wantNoFailure(t)
			for what, failure := range map[string]error{"refused": errRefused, "reset": errReset} {
				failed := names(3)[0]
				f[failed].fail(failure)
				hit(t, p, failed, 1)
				f[failed].fail(nil)
				before := f.calls()
				drive(t.Context(), call, 600, 5*time.Millisecond).wantNoFailure(t)
				if have := f.since(before)[failed]; have < 50 {
					t.Errorf("%s, %s once: want its share of 600 calls in 3 s, have %d", name, what, have)
				}
			}
		})
	}
}

func TestOneProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, _ := start(f)
		defer p.Close()
		hangs := names(4)[0]
		f[hangs].fail(errRefused)
		hit(t, p, hangs, 1)
		time.Sleep(time.Second)
		f[hangs].fail(errEndless)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go drive(ctx, Retry(p, NewRandom(), Timeout(15*time.Second)), 1000, 10*time.Millisecond)
		probes := int64(0)
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			probes = max(probes, f[hangs].running.Load())
		}
		if probes != 1 {
			t.Errorf("probes at a time: want 1, have %d", probes)
		}
	})
}

// Each ejection lasts its own time, whatever was planned for one before it.
func TestEjectionLastsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apart = 10 * time.Second
		f := newFleet(4)
		p, _ := start(f, Ejection(apart, apart))
		defer p.Close()
		name := names(4)[0]
		f[name].fail(errRefused)
		hit(t, p, name, 1)
		time.Sleep(6 * time.Second)
		f[name].fail(nil)
		hit(t, p, name, 1) // a call that others made late has an answer
		f[name].fail(errRefused)
		hit(t, p, name, 1)
		begin := time.Now()
		for stat(p, name).State == "ejected" {
			time.Sleep(100 * time.Millisecond)
		}
		if have := time.Since(begin); have < apart*3/4 {
			t.Errorf("want 7.5 to 10 s apart, have %v", have)
		}
	})
}

// invokeBriefly makes a call on m that has less time than m takes.
func invokeBriefly(t *testing.T, p *Pool, m *Member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if !m.begin() {
		t.Fatalf("%s has left", m.instance)
	}
	p.invoke(ctx, attempt{member: m, route: &p.route, brief: true}, 1)
}

// Brief attempts are no part of a row of failures, and start none for a member that has come back.
func TestBriefAttemptsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		name := names(4)[0]
		f[name].latency = 50 * time.Millisecond
		p, r := start(f)
		defer p.Close()
		time.Sleep(time.Millisecond)
		hit(t, p, names(4)[1], 1)
		for range maxFailures - 1 {
			invokeBriefly(t, p, p.members[name])
		}
		f[name].fail(errReset)
		hit(t, p, name, 1)
		if have := stat(p, name).Ejections; have > 0 {
			t.Errorf("after one reset: want no ejection, have %d", have)
		}
		f[name].fail(nil)
		hit(t, p, name, 1)

		f[name].fail(errors.New("the request's own"))
		hit(t, p, name, 1)
		f[name].fail(nil)
		r.down(name)
		time.Sleep(time.Minute) // until it has left the reserve
		r.up(name)
		synctest.Wait()
		invokeBriefly(t, p, p.members[name])
		if p.members[name].health != answering {
			t.Error("after a return and one brief attempt: want no doubt")
		}
	})
}

// Two routes share a Pool, and the callers of one give up before any server can answer. While the
// other is answered, however rarely, nobody is set aside; a server that hangs is.
func TestSlowRouteOfItsOwnAccusesNobody(t *testing.T) {
	for _, every := range []time.Duration{50 * time.Millisecond, 5 * time.Second} {
		for _, idempotent := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(4)
				r := new(registry)
				p := NewPool(r, slowRoute(f, 800*time.Millisecond), nopLogger())
				defer p.Close()
				r.reset(names(3)...)
				time.AfterFunc(20*time.Second, func() { r.up(names(4)[3]) }) // it has answered nobody
				fast, slow := Retry(p, NewRandom()), Retry(p, NewRandom())
				drive(t.Context(), fast, 20, time.Millisecond).wantNoFailure(t)
				ctx := WithIdempotent(t.Context(), idempotent)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range 1200 {
						impatient, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
						go func() {
							defer cancel()
							slow(impatient, "slow")
						}()
						time.Sleep(50 * time.Millisecond)
					}
				}()
				drive(ctx, fast, int(time.Minute/every), every).wantNoFailure(t)
				<-done
				for _, s := range p.Stats() {
					if s.Ejections > 0 {
						t.Errorf("idempotent %v: want no ejection, have %+v", idempotent, s)
					}
				}
				hung := names(3)[0]
				f[hung].fail(errEndless)
				drive(t.Context(), fast, 600, 100*time.Millisecond)
				if stat(p, hung).Ejections == 0 {
					t.Errorf("want the hung server set aside, have %+v", stat(p, hung))
				}
			})
		}
	}
}

// slowRoute is f's factory, of endpoints whose requests "slow" take latency.
func slowRoute(f fleet, latency time.Duration) kitsd.Factory {
	return func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		serve, closer, err := f.factory(instance)
		slow := &server{latency: latency}
		return func(ctx context.Context, request any) (any, error) {
			if request == "slow" {
				return slow.serve(ctx, request)
			}
			return serve(ctx, request)
		}, closer, err
	}
}
