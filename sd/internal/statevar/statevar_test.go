package statevar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The phases of the tests.
type phase string

const (
	Unknown phase = "unknown"
	Live    phase = "live"
	Stale   phase = "stale"
)

var (
	errTest    = errors.New("on demand")
	errRefused = errors.New("refused")
	errClosed  = errors.New("closed")
)

func equal(t *testing.T, what string, want, have []string) {
	t.Helper()
	if !slices.Equal(want, have) {
		t.Fatalf("%s: want %q, have %q", what, want, have)
	}
}

// Whoever waits is told when the phase is a goal.
func Example() {
	isUp := func(p phase) bool { return p == Live }
	v := New(Unknown, isUp, func(State[phase], time.Duration) {}, errClosed)
	v.Begin(Unknown)
	v.Set(Live, nil)
	fmt.Println(v.Await(context.Background(), v.Get), v.Get().Phase)
	v.End(Stale, nil)
	fmt.Println(v.Await(context.Background(), v.Get))
	// Output:
	// <nil> live
	// sd: await: closed
}

// An observer sees the state as it is, and every phase after that, once, in its order.
func TestObserve(t *testing.T) {
	v, _ := begun()
	var seen []string
	v.Set(Stale, errTest)
	v.Observe(func(s State[phase]) { seen = append(seen, string(s.Phase)) })
	v.Set(Stale, errRefused)
	v.Explain(nil)
	v.Set(Live, nil)
	v.Set(Live, errTest)
	v.Set(Stale, nil)
	v.Backdate(time.Now().Add(-time.Hour))
	v.End(Stale, nil)
	equal(t, "phases", []string{"stale", "live", "stale", "stale"}, seen)
}

// begun returns a Var in phase Unknown, of which Live is the goal, and the lines that it logs.
func begun() (v *Var[phase], lines *[]string) {
	lines = new([]string)
	v = New(Unknown, func(p phase) bool { return p == Live },
		func(s State[phase], lasts time.Duration) {
			line := fmt.Sprint(s.Phase, " ", s.Err)
			if lasts > 0 {
				line += fmt.Sprint(" for ", lasts)
			}
			*lines = append(*lines, line)
		}, errClosed)
	v.Begin(Unknown)
	return v, lines
}

// What is news, by the state before and the time since it was told.
func TestTellsWhatIsNews(t *testing.T) {
	for name, test := range map[string]struct {
		phase phase
		err   error // in the state before
		after time.Duration
		next  phase
		cause error
		news  bool
	}{
		"another phase":           {Live, nil, 0, Stale, errTest, true},
		"another phase, no error": {Stale, errTest, 0, Live, nil, true},
		"the same again":          {Live, nil, time.Hour, Live, nil, false},
		"the same cause again": {Stale, errTest, time.Minute, Stale,
			errors.New(errTest.Error()), false},
		"another cause, too soon":  {Stale, errTest, reasonPause - 1, Stale, errRefused, false},
		"another cause, in time":   {Stale, errTest, reasonPause, Stale, errRefused, true},
		"a first cause":            {Unknown, nil, 0, Unknown, errTest, true},
		"the cause went away":      {Unknown, errTest, 0, Unknown, nil, true},
		"the cause was never told": {Unknown, nil, 0, Unknown, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, lines := begun()
				v.Set(test.phase, test.err)
				before, told := v.Get(), len(*lines)
				time.Sleep(test.after)
				v.Set(test.next, test.cause)
				since := before.Since
				if test.phase != test.next {
					since = time.Now()
				}
				if next := v.Get(); next.Phase != test.next || next.Since != since ||
					next.Err != test.cause {
					t.Errorf("next: want %s since %v, %v, have %v", test.next, since, test.cause,
						next)
				}
				if news := len(*lines) > told; news != test.news {
					t.Errorf("news: want %v, have lines %q", test.news, *lines)
				}
				v.End(Stale, nil)
			})
		})
	}
}

// A phase that ought not to last is told again, also when nothing happens, and when the same
// failure is reported all the time. A goal is not, nor one of a Var that has ended.
func TestReminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, lines := begun()
		want := func(more ...string) {
			t.Helper()
			equal(t, "lines", more, *lines)
			*lines = nil
		}
		time.Sleep(2 * reminderPause)
		synctest.Wait()
		want("unknown <nil> for 3m0s", "unknown <nil> for 6m0s")
		v.Set(Live, nil)
		time.Sleep(time.Hour)
		want("live <nil>")
		began := time.Now()
		for time.Since(began) < reminderPause+time.Minute {
			v.Set(Stale, errTest)
			time.Sleep(time.Second)
		}
		want("stale on demand", "stale on demand for 3m0s")
		v.End(Stale, errRefused)
		time.Sleep(time.Hour)
		want()
		v.Set(Stale, errTest) // a report that comes late
		time.Sleep(time.Hour)
		want("stale on demand")
	})
}

// An error that is explained away leaves no line, and comes back without one.
func TestExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, lines := begun()
		v.Set(Stale, errTest)
		v.Explain(errRefused)
		if s := v.Get(); s.Phase != Stale || s.Err != errRefused {
			t.Errorf("state: want stale: %v, have %v", errRefused, s)
		}
		v.Set(Stale, errTest)
		equal(t, "lines", []string{"stale on demand"}, *lines)
		v.End(Stale, nil)
	})
}

// Await ends with the first goal, however short, with the end, or with its ctx.
func TestAwait(t *testing.T) {
	for name, test := range map[string]struct {
		then func(v *Var[phase])
		want []error // nil: none
		text string
	}{
		"goal": {func(v *Var[phase]) { v.Set(Live, nil) }, nil, ""},
		"goal for a moment": {func(v *Var[phase]) { v.Set(Live, nil); v.Set(Stale, errTest) },
			nil, ""},
		"ended": {func(v *Var[phase]) { v.End(Unknown, nil) }, []error{errClosed},
			"sd: await: "},
		"nothing happens": {func(*Var[phase]) {}, []error{context.DeadlineExceeded},
			"unknown for 1m0s"},
		"failure": {func(v *Var[phase]) { v.Set(Unknown, errTest) },
			[]error{context.DeadlineExceeded, errTest}, "unknown for 1m0s: on demand"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, _ := begun()
				defer v.End(Unknown, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- v.Await(ctx, v.Get) }()
				synctest.Wait()
				test.then(v)
				err := <-ended
				if (err == nil) != (test.want == nil) {
					t.Fatalf("want %v, have %v", test.want, err)
				}
				for _, want := range test.want {
					if !errors.Is(err, want) || !strings.Contains(err.Error(), test.text) {
						t.Errorf("want %v and %q, have %v", want, test.text, err)
					}
				}
			})
		})
	}
}

// A goal that is reached needs no time, whatever ctx says, and what has ended may begin again.
func TestAwaitsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := begun()
		defer v.End(Unknown, nil)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		v.Set(Live, nil)
		if err := v.Await(done, v.Get); err != nil {
			t.Errorf("live: want nil, have %v", err)
		}
		v.End(Stale, nil)
		if err := v.Await(t.Context(), v.Get); !errors.Is(err, errClosed) {
			t.Errorf("ended: want %v, have %v", errClosed, err)
		}
		v.Begin(Unknown)
		if err := v.Await(done, v.Get); !errors.Is(err, context.Canceled) ||
			errors.Is(err, errClosed) {
			t.Errorf("begun again: want %v, have %v", context.Canceled, err)
		}
	})
}

// A subscriber is told the present state, then every newer one it is ready for, and the last one.
func TestFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := begun()
		var quick, slow []string
		stop := v.Follow(func(s State[phase]) {
			quick = append(quick,
				fmt.Sprint(s.Phase, " ", s.Err))
		})
		v.Follow(func(s State[phase]) {
			slow = append(slow, fmt.Sprint(s.Phase, " ", s.Err))
			time.Sleep(time.Second)
		})
		step := func(p phase, err error) {
			v.Set(p, err)
			synctest.Wait()
		}
		synctest.Wait()
		step(Live, nil)
		step(Live, nil) // no news
		step(Stale, errTest)
		step(Stale, errors.New(errTest.Error())) // nor this
		v.Explain(errRefused)
		synctest.Wait()
		stop()
		stop()
		step(Live, nil)
		v.End(Stale, nil)
		v.Finish()
		v.Follow(func(State[phase]) { t.Error("told after the end") })()
		equal(t, "states of a quick one", []string{"unknown <nil>", "live <nil>", "stale on demand",
			"stale refused"}, quick)
		equal(t, "states of a slow one", []string{"unknown <nil>", "stale <nil>"}, slow)
	})
}
