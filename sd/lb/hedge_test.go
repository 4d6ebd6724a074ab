package lb

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/lb/internal/latency"
)

// erratic makes one call in n of s take late instead.
func erratic(s *server, n int, late time.Duration) func(context.Context, any) (any, error) {
	return func(ctx context.Context, request any) (any, error) {
		if rand.IntN(n) > 0 {
			return s.serve(ctx, request)
		}
		slow := &server{latency: late}
		s.calls.Add(1)
		return slow.serve(ctx, request)
	}
}

// One call in fifty is late. Hedging takes the p99 down to two usual latencies, for no more than a
// tenth more attempts.
func TestHedgeCutsTheTail(t *testing.T) {
	const calls = 4000
	p99 := make(map[float64]time.Duration)
	for _, ratio := range []float64{0, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(4)
			p, _ := start(f)
			defer p.Close()
			for name, s := range f {
				s.latency = 10 * time.Millisecond
				p.members[name].serve = erratic(s, 50, 500*time.Millisecond)
			}
			l := drive(t.Context(), Retry(p, NewRandom(), Hedge(ratio)), calls, 5*time.Millisecond)
			l.wantNoFailure(t)
			synctest.Wait() // for the last one that was cancelled
			p99[ratio] = percentile(l.latencies, 99)
			var attempts int64
			for _, s := range f {
				attempts += s.calls.Load()
			}
			if want := int64(calls * (1 + ratio)); attempts > want {
				t.Errorf("ratio %v: want at most %d attempts, have %d", ratio, want, attempts)
			}
			for _, s := range p.Stats() {
				if s.Failures > 0 || s.InFlight > 0 {
					t.Errorf("ratio %v: a cancelled attempt is no failure and ends: have %+v", ratio, s)
				}
			}
		})
	}
	t.Logf("p99 without hedging %v, with %v", p99[0], p99[0.1])
	if want, have := p99[0]/10, p99[0.1]; have > want {
		t.Errorf("p99: want at most %v, have %v", want, have)
	}
}

// When everything becomes slow, hedges stay within their bound: they do not double the load.
func TestHedgesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		for _, s := range f {
			s.latency = 10 * time.Millisecond
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Hedge(0.1))
		drive(t.Context(), call, 200, 5*time.Millisecond).wantNoFailure(t)
		for name := range f {
			p.members[name].serve = (&server{latency: 600 * time.Millisecond}).serve
		}
		requests := func() (n uint64) {
			for _, s := range p.Stats() {
				n += s.Requests
			}
			return n
		}
		before := requests()
		drive(t.Context(), call, 500, 5*time.Millisecond).wantNoFailure(t)
		if want, have := uint64(551), requests()-before; have > want {
			t.Errorf("attempts for 500 calls: want at most %d, have %d", want, have)
		}
	})
}

func TestHedgedAttemptsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Hedge(0.5))
		drive(t.Context(), call, 300, time.Millisecond).wantNoFailure(t)
		f[names(3)[0]].fail(errRefused)
		f[names(3)[1]].fail(errEndless)
		drive(t.Context(), call, 300, 20*time.Millisecond).wantNoFailure(t)
	})
}

// A panic of an endpoint reaches the caller, who can recover, as it does without hedging.
func TestHedgedPanicReachesTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(newFleet(1))
		defer p.Close()
		p.snapshot.Load().At(0).serve = func(context.Context, any) (any, error) { panic("oh") }
		defer func() {
			if have := recover(); have != "oh" {
				t.Errorf("want the panic, have %v", have)
			}
		}()
		Retry(p, NewRandom(), Hedge(0.1))(t.Context(), 1)
	})
}

func TestHedgeCountsAsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Hedge(0.1), Attempts(1))
		drive(t.Context(), call, 2*latency.MinCount, 5*time.Millisecond).wantNoFailure(t)
		for _, s := range f {
			s.latency = 100 * time.Millisecond
		}
		ctx, trace := WithTrace(t.Context())
		if _, err := call(ctx, 1); err != nil || trace.Attempts != 1 {
			t.Errorf("want one attempt, have %+v, %v", *trace, err)
		}
	})
}

func TestNoHedgeBeforeLatenciesAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Hedge(1), Shares(1))
		ask(t, call, latency.MinCount/2)
		for _, s := range f {
			s.fail(errEndless)
		}
		ctx, trace := WithTrace(t.Context())
		call(ctx, 1)
		if want, have := 1, trace.Attempts; want != have {
			t.Errorf("attempts: want %d, have %d", want, have)
		}
	})
}

// The time of a hedge is that of the latest attempt: when its share is over first there is none, also
// if the attempt before it would have had one.
func TestHedgeOfTheAttemptBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &retrier{hedger: newHedger(1)}
		for range latency.MinCount {
			r.hedger.latencies.Add(10 * time.Millisecond)
		}
		timer := stoppedTimer()
		r.resetHedge(timer, time.Second)
		r.resetHedge(timer, 5*time.Millisecond)
		select {
		case <-timer.C:
			t.Error("want no hedge")
		case <-time.After(time.Second):
		}
	})
}
