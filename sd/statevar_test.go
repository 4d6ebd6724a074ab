package sd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errRefused = errors.New("refused")

// opened returns a stateVar in phase Unknown, of which Live is settled, and the lines that it logs.
func opened() (v *stateVar, lines *[]string) {
	lines = new([]string)
	v = newStateVar(Unknown, func(p Phase) bool { return p == Live }, func(s State, lasts time.Duration) {
		line := fmt.Sprint(s.Phase, " ", s.Err)
		if lasts > 0 {
			line += fmt.Sprint(" for ", lasts)
		}
		*lines = append(*lines, line)
	})
	v.begin(Unknown)
	return v, lines
}

// What is news, by the state before and the time since it was told.
func TestStateVarTellsWhatIsNews(t *testing.T) {
	for name, test := range map[string]struct {
		phase Phase
		err   error // in the state before
		after time.Duration
		next  Phase
		cause error
		news  bool
	}{
		"another phase":            {Live, nil, 0, Stale, errTest, true},
		"another phase, no error":  {Stale, errTest, 0, Live, nil, true},
		"the same again":           {Live, nil, time.Hour, Live, nil, false},
		"the same cause again":     {Stale, errTest, time.Minute, Stale, errors.New(errTest.Error()), false},
		"another cause, too soon":  {Stale, errTest, reasonPause - 1, Stale, errRefused, false},
		"another cause, in time":   {Stale, errTest, reasonPause, Stale, errRefused, true},
		"a first cause":            {Unknown, nil, 0, Unknown, errTest, true},
		"the cause went away":      {Unknown, errTest, 0, Unknown, nil, true},
		"the cause was never told": {Unknown, nil, 0, Unknown, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, lines := opened()
				v.set(test.phase, test.err)
				before, told := v.get(), len(*lines)
				time.Sleep(test.after)
				v.set(test.next, test.cause)
				since := before.Since
				if test.phase != test.next {
					since = time.Now()
				}
				if next := v.get(); next.Phase != test.next || next.Since != since || next.Err != test.cause {
					t.Errorf("next: want %s since %v, %v, have %v", test.next, since, test.cause, next)
				}
				if news := len(*lines) > told; news != test.news {
					t.Errorf("news: want %v, have lines %q", test.news, *lines)
				}
				v.end(Stale, nil)
			})
		})
	}
}

// A phase that ought not to last is told again, also when nothing happens, and when the same
// failure is reported all the time. A settled one is not, nor one of a stateVar that has ended.
func TestStateVarReminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, lines := opened()
		want := func(more ...string) {
			t.Helper()
			equal(t, "lines", more, *lines)
			*lines = nil
		}
		time.Sleep(2 * reminderPause)
		synctest.Wait()
		want("unknown <nil> for 3m0s", "unknown <nil> for 6m0s")
		v.set(Live, nil)
		time.Sleep(time.Hour)
		want("live <nil>")
		began := time.Now()
		for time.Since(began) < reminderPause+time.Minute {
			v.set(Stale, errTest)
			time.Sleep(time.Second)
		}
		want("stale on demand", "stale on demand for 3m0s")
		v.end(Stale, errRefused)
		time.Sleep(time.Hour)
		want()
		v.set(Stale, errTest) // a report that comes late
		time.Sleep(time.Hour)
		want("stale on demand")
	})
}

// An error that is explained away leaves no line, and comes back without one.
func TestStateVarExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, lines := opened()
		v.set(Stale, errTest)
		v.explain(errRefused)
		if s := v.get(); s.Phase != Stale || s.Err != errRefused {
			t.Errorf("state: want stale: %v, have %v", errRefused, s)
		}
		v.set(Stale, errTest)
		equal(t, "lines", []string{"stale on demand"}, *lines)
		v.end(Stale, nil)
	})
}

// Await ends with the first settled phase, however short, with the end, or with its ctx.
func TestStateVarAwait(t *testing.T) {
	for name, test := range map[string]struct {
		then func(v *stateVar)
		want []error // nil: none
		text string
	}{
		"settled":              {func(v *stateVar) { v.set(Live, nil) }, nil, ""},
		"settled for a moment": {func(v *stateVar) { v.set(Live, nil); v.set(Stale, errTest) }, nil, ""},
		"ended":                {func(v *stateVar) { v.end(Unknown, nil) }, []error{ErrClosed}, "sd: await: "},
		"nothing happens":      {func(*stateVar) {}, []error{context.DeadlineExceeded}, "unknown for 1m0s"},
		"failure": {func(v *stateVar) { v.set(Unknown, errTest) },
			[]error{context.DeadlineExceeded, errTest}, "unknown for 1m0s: on demand"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, _ := opened()
				defer v.end(Unknown, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- v.await(ctx, v.get) }()
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

// What is settled needs no time, whatever ctx says, and what has ended may begin again.
func TestStateVarAwaitsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := opened()
		defer v.end(Unknown, nil)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		v.set(Live, nil)
		if err := v.await(done, v.get); err != nil {
			t.Errorf("live: want nil, have %v", err)
		}
		v.end(Stale, nil)
		if err := v.await(t.Context(), v.get); !errors.Is(err, ErrClosed) {
			t.Errorf("ended: want %v, have %v", ErrClosed, err)
		}
		v.begin(Unknown)
		if err := v.await(done, v.get); !errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
			t.Errorf("begun again: want %v, have %v", context.Canceled, err)
		}
	})
}

// A subscriber is told the present state, then every newer one it is ready for, and the last one.
func TestStateVarFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := opened()
		var quick, slow []string
		stop := v.follow(func(s State) { quick = append(quick, fmt.Sprint(s.Phase, " ", s.Err)) })
		v.follow(func(s State) {
			slow = append(slow, fmt.Sprint(s.Phase, " ", s.Err))
			time.Sleep(time.Second)
		})
		step := func(p Phase, err error) {
			v.set(p, err)
			synctest.Wait()
		}
		synctest.Wait()
		step(Live, nil)
		step(Live, nil) // no news
		step(Stale, errTest)
		step(Stale, errors.New(errTest.Error())) // nor this
		v.explain(errRefused)
		synctest.Wait()
		stop()
		stop()
		step(Live, nil)
		v.end(Stale, nil)
		v.finish()
		v.follow(func(State) { t.Error("told after the end") })()
		equal(t, "states of a quick one", []string{"unknown <nil>", "live <nil>", "stale on demand", "stale refused"}, quick)
		equal(t, "states of a slow one", []string{"unknown <nil>", "stale <nil>"}, slow)
	})
}
