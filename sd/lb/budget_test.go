package lb

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A call that its caller has given up is not tried again, and no retry is paid for.
func TestGivenUpCallsCostNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRoundRobin(), Budget(0, 0.1), Idempotent()) // one retry is saved
		for _, s := range f {
			s.fail(errEndless)
		}
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			if _, err := call(ctx, 1); !errors.Is(err, context.Canceled) || errors.Is(err, ErrBudget) {
				t.Errorf("want %v, have %v", context.Canceled, err)
			}
		}
		f[names(2)[0]].fail(errReset)
		f[names(2)[1]].fail(nil)
		ask(t, call, 2)
	})
}

// The share of the calls is saved up as well, so that a busy client survives the moment in which a
// server goes dark.
func TestBudgetSavesItsShareOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		for _, s := range f {
			s.latency = 5 * time.Millisecond
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Idempotent())
		drive(t.Context(), call, 9000, time.Second/3000).wantNoFailure(t)
		f[names(2)[0]].fail(errEndless)
		drive(t.Context(), call, 9000, time.Second/3000).wantNoFailure(t)
	})
}

// Addresses to which no way leads from here cost no budget: calls go on to the others, however often
// they come upon one.
func TestUnroutableAddressesCostNoBudget(t *testing.T) {
	for _, failure := range []error{
		syscall.ENETUNREACH, dialError(syscall.ENETUNREACH), dialError(syscall.EACCES),
		dialError(syscall.EHOSTUNREACH), dialError(syscall.EADDRNOTAVAIL),
		dialError(os.NewSyscallError("connect", syscall.EPERM)), dialError(syscall.EMFILE),
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(6)
			for _, name := range names(6)[:3] {
				f[name].fail(failure)
			}
			p, _ := start(f)
			defer p.Close()
			l := drive(t.Context(), Retry(p, NewRandom(), Budget(0, 0)), 300, time.Millisecond)
			if want := errors.Is(failure, syscall.EMFILE); want != (len(l.errs) > 0) {
				t.Errorf("%v: want calls that fail: %v, have %d of 300", failure, want, len(l.errs))
			}
		})
	}
}

// Callers who are impatient, and handlers that are slow, have second attempts begun in vain. They
// leave the budget what calls need when a server dies.
func TestVainAttemptsLeaveTheBudget(t *testing.T) {
	for name, vain := range map[string]struct {
		latency time.Duration
		within  time.Duration // what the callers wait for
	}{
		"impatient callers": {20 * time.Millisecond, 10 * time.Millisecond},
		"slow handlers":     {800 * time.Millisecond, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(3)
				p, _ := start(f)
				defer p.Close()
				for name, s := range f {
					p.members[name].serve = func(ctx context.Context, request any) (any, error) {
						if request == "vain" {
							return (&server{latency: vain.latency}).serve(ctx, request)
						}
						return s.serve(ctx, request)
					}
				}
				call := Retry(p, NewRandom(), Idempotent())
				ctx, cancel := context.WithCancel(t.Context())
				var vainly sync.WaitGroup
				defer vainly.Wait()
				defer cancel()
				vainly.Go(func() {
					for ctx.Err() == nil {
						vainly.Go(func() {
							ctx, cancel := context.WithTimeout(ctx, vain.within)
							defer cancel()
							call(ctx, "vain")
						})
						time.Sleep(5 * time.Millisecond)
					}
				})
				time.Sleep(20 * time.Second)
				for i := range 60 {
					s := f[names(3)[i%3]]
					s.fail(errReset)
					drive(t.Context(), call, 3, 5*time.Millisecond).wantNoFailure(t)
					s.fail(nil)
					drive(t.Context(), call, 100, 10*time.Millisecond).wantNoFailure(t)
				}
			})
		})
	}
}
