package lb

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"
)

// Servers that are slow are healthy: as long as they answer within the Timeout, each call is one
// request, and nobody is ejected. Made idempotent, a call may have more requests, and nothing else
// changes, at any rate of calls.
func TestSlowHandlersAreHealthy(t *testing.T) {
	const timeout = 2 * time.Second
	for _, n := range []int{1, 2, 3} {
		for _, percent := range []time.Duration{40, 70, 95} {
			for _, every := range []time.Duration{50, 600, 3000} {
				for _, idempotent := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						latency := timeout * percent / 100
						f := newFleet(n)
						for _, s := range f {
							s.latency = latency
						}
						p, _ := start(f)
						defer p.Close()
						call := Retry(p, NewRandom(), Timeout(timeout))
						ctx := WithIdempotent(t.Context(), idempotent)
						l := drive(ctx, call, 100, every*time.Millisecond)
						l.wantNoFailure(t)
						if have := percentile(l.latencies, 100); have > latency {
							t.Errorf("slowest call: want %v, have %v", latency, have)
						}
						for _, s := range p.Stats() {
							if s.Ejections > 0 || p.members[s.Instance].health != answering {
								t.Errorf("%d servers, %v each %d ms, idempotent %v: want it healthy, have %+v",
									n, latency, every, idempotent, s)
							}
						}
						if attempts := f.calls(); !idempotent && sum(attempts) != 100 {
							t.Errorf("want one request a call, have %v", attempts)
						}
					})
				}
			}
		}
	}
}

func sum(calls map[string]int64) (n int64) {
	for _, c := range calls {
		n += c
	}
	return n
}

// One slow server among fast ones loses each race, and is healthy all the same: what becomes of a
// probe says so.
func TestOneSlowServerIsNotEjected(t *testing.T) {
	for _, ms := range []time.Duration{20, 200, 3000} {
		every := ms * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(3)
			slow := names(3)[1]
			f[slow].latency = 1200 * time.Millisecond
			p, _ := start(f)
			defer p.Close()
			call := Retry(p, NewRandom(), Idempotent())
			drive(t.Context(), call, int(2*time.Minute/every), every).wantNoFailure(t)
			if have := stat(p, slow).Ejections; have > 0 {
				t.Errorf("a call each %v: want no ejection, have %d", every, have)
			}
		})
	}
}

// One route takes longer than the call waits for it. The servers answer the others meanwhile, and
// stay where they are.
func TestOneSlowRouteEjectsNobody(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(3)
			p, _ := start(f)
			defer p.Close()
			for name, s := range f {
				p.members[name].serve = func(ctx context.Context, request any) (any, error) {
					if request == "slow" {
						return (&server{latency: 5 * time.Second}).serve(ctx, request)
					}
					return s.serve(ctx, request)
				}
			}
			call := Retry(p, NewRandom())
			ctx := WithIdempotent(t.Context(), idempotent)
			go func() {
				for range 600 {
					go call(ctx, "slow")
					time.Sleep(50 * time.Millisecond)
				}
			}()
			l := drive(ctx, call, 300, 100*time.Millisecond)
			l.wantNoFailure(t)
			time.Sleep(3 * time.Second)
			if have := percentile(l.latencies, 100); have > 0 {
				t.Errorf("slowest call of the fast route: want no wait, have %v", have)
			}
			for _, s := range p.Stats() {
				if s.Ejections > 0 {
					t.Errorf("idempotent %v: want no ejection, have %+v", idempotent, s)
				}
			}
		})
	}
}

// A hung server costs an idempotent call a share of its time, and is found out.
func TestHungServerIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		hung := names(3)[1]
		f[hung].fail(errEndless)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Idempotent())
		l := drive(t.Context(), call, 600, 50*time.Millisecond)
		l.wantNoFailure(t)
		if want, have := 2*time.Second/3, percentile(l.latencies, 100); have > want {
			t.Errorf("slowest call: want %v, have %v", want, have)
		}
		if have := stat(p, hung); have.Ejections == 0 || have.Requests > 20 {
			t.Errorf("want it ejected after 20 requests at most, have %+v", have)
		}
	})
}

// The attempts that another server's answer ended are counted, and the log says why the server was
// set aside: that it was silent, and not that it was cancelled.
func TestOutlivedAttemptsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		hung := names(3)[1]
		f[hung].fail(errEndless)
		var lines []string
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.LoggerFunc(func(kv ...any) error {
			lines = append(lines, fmt.Sprint(kv...))
			return nil
		}))
		defer p.Close()
		r.reset(names(3)...)
		drive(t.Context(), Retry(p, NewRandom(), Idempotent()), 200, 5*time.Millisecond).
			wantNoFailure(t)
		synctest.Wait()
		have := stat(p, hung)
		if have.Outlived == 0 || have.Outlived+have.Failures+uint64(have.InFlight) != have.Requests ||
			have.SetAside != 1 {
			t.Errorf("want every attempt counted, and set aside once, have %+v", have)
		}
		want := "silent for 667ms, another server answered first"
		if len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("want one line with %q, have %q", want, lines)
		}
		for _, name := range names(3) {
			if s := stat(p, name); name != hung && (s.Outlived > 0 || s.SetAside > 0) {
				t.Errorf("want nothing against one that answers, have %+v", s)
			}
		}
	})
}

// Among servers that take most of a call's time, a second attempt comes too late to be answered. The
// one that hangs is found out by the calls that the others answer, and asked beside them from then on.
func TestHungServerAmongSlowOnes(t *testing.T) {
	for _, answered := range []bool{false, true} {
		for _, every := range []time.Duration{100, 1000, 6000} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(3)
				for _, s := range f {
					s.latency = 1400 * time.Millisecond
				}
				p, _ := start(f)
				defer p.Close()
				hung := names(3)[0]
				if answered {
					hit(t, p, hung, 1)
				}
				f[hung].fail(errEndless)
				call := Retry(p, NewRandom(), Idempotent())
				l := drive(t.Context(), call, 300, every*time.Millisecond)
				// An attempt counts that begins 2 s after the last answer, and ends 2 s later.
				if have, most := len(l.errs), 8+2000/int(every); have > most {
					t.Errorf("a call each %d ms: want %d failures at most, have %d", every, most, have)
				}
				drive(t.Context(), call, 50, every*time.Millisecond).wantNoFailure(t)
			})
		}
	}
}

// An inner call that ends because another attempt of the outer one has answered says nothing about
// the inner members.
func TestOuterRaceAccusesNoInnerMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, outer := newFleet(1), newFleet(2)
		inner[names(1)[0]].latency = 900 * time.Millisecond
		below, _ := start(inner)
		defer below.Close()
		p, _ := start(outer)
		defer p.Close()
		p.members[names(2)[0]].serve = Retry(below, NewRandom(), Idempotent(), Timeout(time.Second))
		drive(t.Context(), Retry(p, NewRoundRobin(), Idempotent()), 20, 3*time.Second).wantNoFailure(t)
		for _, m := range below.members {
			if m.history.requests.Load() == 0 || m.failures.Load() > 0 || m.health != answering {
				t.Errorf("want it asked and healthy, have %+v", below.Stats())
			}
		}
	})
}
