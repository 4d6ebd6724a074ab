package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadAddresses(t *testing.T) {
	const timeout = 1500 * time.Millisecond
	for _, name := range PickerNames() {
		for what, err := range map[string]error{
			"refused": errRefused, "reset": errReset, "blackholed": errEndless,
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(3)
					for _, s := range f {
						s.latency = 5 * time.Millisecond
					}
					f[names(3)[1]].fail(err)
					p, _ := start(f)
					defer p.Close()
					picker, _ := ParsePicker(name)
					call := Retry(p, picker, Timeout(timeout), Idempotent())
					l := drive(t.Context(), call, 1000, 20*time.Millisecond)
					l.wantNoFailure(t)
					if want, have := timeout/3+10*time.Millisecond, percentile(l.latencies, 99); have > want {
						t.Errorf("p99: want at most one attempt's timeout, %v, have %v", want, have)
					}
				})
			})
		}
	}
}

// One of three dies under load and comes back: the calls that it had in hand are made elsewhere.
func TestServerDiesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		for _, s := range f {
			s.latency = 5 * time.Millisecond
		}
		p, _ := start(f)
		defer p.Close()
		victim := names(3)[0]
		go func() {
			time.Sleep(5 * time.Second)
			f[victim].fail(errRefused)
			time.Sleep(10 * time.Second)
			f[victim].fail(nil)
		}()
		call := Retry(p, NewRandom())
		drive(t.Context(), call, 4000, 5*time.Millisecond).wantNoFailure(t)
		if stat(p, victim).Ejections == 0 {
			t.Error("want the victim ejected at least once")
		}
		time.Sleep(30 * time.Second) // its longest time apart
		before := f.calls()
		drive(t.Context(), call, 300, 5*time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[victim]; have < 60 {
			t.Errorf("after its return: want about 100 of 300 calls, have %d", have)
		}
	})
}

// Two of three die while the registry still lists them: at most one can be set aside, and still
// nothing fails.
func TestMostServersDieUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		f[names(3)[0]].fail(errRefused)
		f[names(3)[2]].fail(errRefused)
		drive(t.Context(), Retry(p, NewRandom()), 5000, 2*time.Millisecond).wantNoFailure(t)
	})
}

func TestAllServersDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		errs := []error{errRefused, errReset, errEndless}
		for i, name := range names(3) {
			f[name].fail(errs[i])
		}
		p, _ := start(f)
		defer p.Close()
		begin := time.Now()
		ctx, trace := WithTrace(t.Context())
		_, err := Retry(p, NewRandom(), Timeout(3*time.Second), Idempotent())(ctx, 1)
		if want, have := 3*time.Second, time.Since(begin); have > want {
			t.Errorf("took: want at most %v, have %v", want, have)
		}
		for _, want := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, context.DeadlineExceeded} {
			if !errors.Is(err, want) {
				t.Errorf("want %v in the error, have: %v", want, err)
			}
		}
		for _, want := range names(3) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("want %s in the error, have: %v", want, err)
			}
		}
		if trace.Attempts < 3 || trace.Attempts > 20 || trace.Instance != "" {
			t.Errorf("want 3 to 20 attempts and no instance, have %+v", *trace)
		}
	})
}

// While all are down, further attempts stay within the budget, or, if they are refused, are paced
// by the pauses. Within 2 s of the first return calls succeed again, and go on to do so although
// the others stay down.
func TestOutageAndRecovery(t *testing.T) {
	for _, name := range PickerNames() {
		for _, rate := range []int{1, 5, 50, 200} {
			for what, failure := range map[string]error{"reset": errReset, "refused": errRefused} {
				if rate > 50 && failure == errRefused || rate != 50 && name != "random" {
					continue // a refused connection costs nothing but the time of this test
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, rate, what), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testOutage(t, name, rate, failure) })
				})
			}
		}
	}
}

func testOutage(t *testing.T, name string, rate int, failure error) {
	const seconds = 20
	f := newFleet(3)
	for _, s := range f {
		s.fail(failure)
	}
	p, _ := start(f)
	defer p.Close()
	picker, _ := ParsePicker(name)
	call := Retry(p, picker, Idempotent())
	l := drive(t.Context(), call, seconds*rate, time.Second/time.Duration(rate))
	if want, have := seconds*rate, len(l.errs); want != have {
		t.Errorf("failed: want %d, have %d", want, have)
	}
	var attempts int64
	for _, n := range f.calls() {
		attempts += n
	}
	retries := float64(attempts) - float64(seconds*rate)
	want := 0.2*float64(seconds*rate) + 10*(seconds+2) + 100
	if failure == errRefused {
		want = float64(3 * 12 * seconds * rate) // twelve rounds in 2 s would be short pauses
	}
	if retries > want {
		t.Errorf("retries: want at most %v, have %v", want, retries)
	}
	f[names(3)[1]].fail(nil)
	drive(t.Context(), call, 2*rate, time.Second/time.Duration(rate)) // two seconds to find out
	drive(t.Context(), call, 10*rate, time.Second/time.Duration(rate)).wantNoFailure(t)
}

func TestManyCallsAtOnceWhileMembersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(10)
		for _, s := range f {
			s.latency = 3 * time.Millisecond
		}
		p, r := start(f, Reserve(20*time.Millisecond))
		defer p.Close()
		var stop atomic.Bool
		var churn sync.WaitGroup
		churn.Go(func() {
			for i := 0; !stop.Load(); i++ {
				r.down(names(10)[i%9])
				time.Sleep(time.Millisecond)
				r.up(names(10)[(i+5)%9])
				time.Sleep(time.Millisecond)
			}
		})
		drive(t.Context(), Retry(p, NewLeastLoaded()), 3000, time.Millisecond/2).wantNoFailure(t)
		stop.Store(true)
		churn.Wait()
	})
}
