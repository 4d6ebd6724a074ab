package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb/internal/cause"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

func TestPauseOnlyWhenAllWereTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		for _, s := range f {
			s.fail(errRefused)
		}
		p, _ := start(f)
		defer p.Close()
		begin := time.Now()
		call := Retry(p, NewRandom(), Attempts(5))
		if _, err := call(t.Context(), 1); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("want %v, have %v", syscall.ECONNREFUSED, err)
		}
		if have := time.Since(begin); have != 0 {
			t.Errorf("five attempts at five members: want no pause, have %v", have)
		}
		for name, n := range f.calls() {
			if n != 1 {
				t.Errorf("%s: want one attempt, have %d", name, n)
			}
		}
		var longest time.Duration
		for range 50 { // 50 samples of full jitter, one pause each
			time.Sleep(time.Minute) // so that the budget is full
			begin = time.Now()
			Retry(p, NewRandom(), Attempts(6))(t.Context(), 1)
			longest = max(longest, time.Since(begin))
		}
		if longest > 50*time.Millisecond || longest < 25*time.Millisecond {
			t.Errorf("the longest of 50 first pauses: want 25 to 50 ms, have %v", longest)
		}
	})
}

func TestMemberThatJoinsEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		dead, alive := names(2)[0], names(2)[1]
		f[dead].fail(errRefused)
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger())
		defer p.Close()
		r.reset(dead)
		synctest.Wait()
		go func() {
			time.Sleep(100 * time.Millisecond)
			r.up(alive)
		}()
		begin := time.Now()
		ask(t, Retry(p, NewRandom(), Backoff(time.Hour, time.Hour)), 1)
		if want, have := 100*time.Millisecond, time.Since(begin); have > want {
			t.Errorf("want %v, have %v", want, have)
		}
	})
}

// Why there is nobody is in the error: a path that was misspelt is no slow registry.
func TestReasonWhyNobodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &stating{state: sd.State{Phase: sd.Unknown, Err: syscall.ECONNREFUSED}}
		p := NewPool(r, newFleet(1).factory, kitlog.NewNopLogger())
		defer p.Close()
		call := Retry(p, NewRandom())
		for _, test := range []struct {
			state sd.State
			want  string
		}{
			{sd.State{Phase: sd.Unknown, Err: syscall.ECONNREFUSED}, ": connection refused"},
			{sd.State{Phase: sd.Stale, Err: syscall.ECONNREFUSED}, ": connection refused"},
			{sd.State{Phase: sd.Unknown}, "lb: no endpoints available: context deadline exceeded"},
			{sd.State{Phase: sd.Live, Err: errors.New("a wrong line")}, "lb: no endpoints available: context deadline exceeded"},
		} {
			r.state = test.state
			_, err := call(t.Context(), 1)
			if !errors.Is(err, kitlb.ErrNoEndpoints) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("%v: want ...%s, have %v", test.state, test.want, err)
			}
			if cause.IsFree(err) {
				t.Errorf("%v: want an error that blames no server, have %v", test.state, err)
			}
		}
	})
}

// A stating Instancer has a State.
type stating struct {
	registry
	state sd.State
}

func (s *stating) State() sd.State   { return s.state }
func (*stating) Instances() []string { return nil }

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1)
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		call := Retry(p, NewRandom(), Attempts(1), Timeout(2*time.Second))
		for _, state := range []string{"unknown", "empty"} {
			begin := time.Now()
			_, err := call(t.Context(), 1)
			if !errors.Is(err, kitlb.ErrNoEndpoints) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: want %v and %v, have %v",
					state, kitlb.ErrNoEndpoints, context.DeadlineExceeded, err)
			}
			if want, have := 2*time.Second, time.Since(begin); want != have {
				t.Errorf("%s: want to wait %v, have %v", state, want, have)
			}
			go func() {
				time.Sleep(time.Second)
				r.reset(names(1)...)
			}()
			begin = time.Now()
			ask(t, call, 1)
			if want, have := time.Second, time.Since(begin); want != have {
				t.Errorf("%s, then there: want %v, have %v", state, want, have)
			}
			r.reset()
			synctest.Wait()
		}
	})
}

func TestCallWaitingAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(new(registry), nop, kitlog.NewNopLogger())
		failed := make(chan error)
		go func() {
			_, err := Retry(p, NewRandom())(t.Context(), 1)
			failed <- err
		}()
		synctest.Wait()
		p.Close()
		if want, have := ErrClosed, <-failed; !errors.Is(have, want) {
			t.Errorf("want %v, have %v", want, have)
		}
	})
}

// An attempt that takes its share of the time is joined by a second one, and not cancelled.
func TestShareOfTheDeadline(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []RetryOption
		caller  time.Duration
		want    time.Duration // when the second attempt begins
		ended   int64         // attempts then
	}{
		{"default", nil, time.Hour, 2 * time.Second / 3, 0},
		{"a third", []RetryOption{Timeout(6 * time.Second)}, time.Hour, 2 * time.Second, 0},
		{"the caller's deadline", nil, 900 * time.Millisecond, 300 * time.Millisecond, 0},
		{"a half", []RetryOption{Shares(2)}, time.Hour, time.Second, 0},
		{"two attempts", []RetryOption{Attempts(2)}, time.Hour, time.Second, 0},
		{"many attempts", []RetryOption{Attempts(9)}, time.Hour, 2 * time.Second / 3, 0},
		{"failfast", []RetryOption{Attempts(1)}, time.Hour, 2 * time.Second, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(2)
				for _, s := range f {
					s.fail(errEndless)
				}
				p, _ := start(f)
				defer p.Close()
				ctx, cancel := context.WithTimeout(t.Context(), test.caller)
				defer cancel()
				go Retry(p, NewRandom(), append(test.options, Idempotent())...)(ctx, 1)
				want := func(wantBegun, wantEnded int64) {
					t.Helper()
					synctest.Wait()
					var begun, ended int64
					for _, s := range f {
						begun += s.calls.Load()
						ended += s.calls.Load() - s.running.Load()
					}
					if wantBegun != begun || wantEnded != ended {
						t.Errorf("want %d attempts begun and %d ended, have %d and %d",
							wantBegun, wantEnded, begun, ended)
					}
				}
				time.Sleep(test.want - 1)
				want(1, 0)
				time.Sleep(2 * time.Nanosecond)
				want(2-test.ended, test.ended)
			})
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		for _, s := range f {
			s.fail(errEndless)
		}
		p, _ := start(f)
		defer p.Close()
		reason := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(10 * time.Millisecond)
			cancel(reason)
		}()
		_, err := Retry(p, NewRandom())(ctx, 1)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
			t.Errorf("want %v and %v, have %v", context.Canceled, reason, err)
		}
		for _, s := range p.Stats() {
			if s.Failures != 0 || s.InFlight != 0 {
				t.Errorf("want no failure and nothing in flight, have %+v", s)
			}
		}
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		for _, s := range f {
			s.fail(errRefused)
		}
		p, _ := start(f)
		defer p.Close()
		for _, want := range []int{1, 3, 7} {
			ctx, trace := WithTrace(t.Context())
			if _, err := Retry(p, NewRandom(), Attempts(want))(ctx, 1); err == nil {
				t.Error("want an error")
			}
			if have := trace.Attempts; want != have {
				t.Errorf("attempts: want %d, have %d", want, have)
			}
		}
	})
}

func TestTraceNamesWhoAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		f[names(2)[0]].fail(errRefused)
		p, _ := start(f)
		defer p.Close()
		key := keyOf(p, names(2)[0])
		ctx, trace := WithTrace(WithKey(t.Context(), key))
		ask(t, func(_ context.Context, request any) (any, error) {
			return Retry(p, NewHash())(ctx, request)
		}, 1)
		if want, have := (Trace{Instance: names(2)[1], Attempts: 2}), *trace; want != have {
			t.Errorf("want %+v, have %+v", want, have)
		}
	})
}

// keyOf returns a key whose member is instance.
func keyOf(p *Pool, instance string) string {
	for i := 0; ; i++ {
		key := fmt.Sprint(i)
		ctx := WithKey(context.Background(), key)
		if NewHash().Pick(ctx, p.snapshot.Load(), nil).instance == instance {
			return key
		}
	}
}

func TestPanicInAnEndpointLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1)
		p, _ := start(f)
		defer p.Close()
		p.snapshot.Load().At(0).serve = func(context.Context, any) (any, error) { panic("oh") }
		func() {
			defer func() { recover() }()
			Retry(p, NewRandom())(t.Context(), 1)
		}()
		want := Stat{Instance: names(1)[0], State: "listed", Requests: 1, Failures: 1}
		if have := stat(p, names(1)[0]); want != have {
			t.Errorf("want %+v, have %+v", want, have)
		}
	})
}
