package sd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

var errDown = errors.New("registry down")

// Unknown is not empty.
func TestNothingIsSentBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		followed := 0
		stop := i.Follow(func(sd.Change) { followed++ })
		defer stop()
		for range 100 {
			s.fail(errDown)
		}
		pass(time.Hour)
		same(t, "events", 0, len(r.sets))
		same(t, "calls of the follower", 0, followed)
	})
}

func TestEmptySetIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset())
		same(t, "sets", [][]string{{}}, r.sets)
		pass(time.Second)
		s.emit(up(alice))
		pass(time.Second)
		s.emit(down(alice))
		same(t, "sets", [][]string{{}, {alice}, {}}, r.sets)
	})
}

func TestEveryEventIsTheWholeSetSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		for _, c := range []sd.Change{reset(carol, bob), up(alice),
			{Up: []string{instance(1)}, Down: []string{bob}}} {
			s.emit(c)
			pass(time.Second)
		}
		same(t, "sets", [][]string{{bob, carol}, {alice, bob, carol}, {instance(1), alice, carol}},
			r.sets)
	})
}

// What repeats the set is no news, such as the Reset of a Watch that was called again.
func TestNothingIsSentForTheSameSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset(alice, bob))
		pass(time.Second)
		s.fail(errDown)
		s.emit(reset(bob, alice))
		pass(time.Second)
		s.emit(up(alice))
		pass(time.Second)
		s.emit(down(carol))
		pass(time.Second)
		same(t, "sets", [][]string{{alice, bob}}, r.sets)
	})
}

// The state tells what no event tells: a failure neither empties the set nor sends an Event.Err,
// over which a go-kit cache would forget its instances.
func TestStateOfAnInstancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		began := time.Now()
		want := func(p sd.Phase, err error) {
			t.Helper()
			if have := i.State(); have.Phase != p || !errors.Is(have.Err, err) ||
				!have.Since.Equal(began) {
				t.Errorf("state: want %s since %v with %v, have %+v", p, began, err, have)
			}
		}
		// After step another phase begins, or the same one goes on.
		step := func(f func()) { pass(time.Minute); f(); began = time.Now() }
		goesOn := func(f func()) { pass(time.Minute); f() }

		want(sd.Unknown, nil)
		goesOn(func() { s.fail(errDown) })
		want(sd.Unknown, errDown)
		step(func() { s.emit(reset(alice)) })
		want(sd.Live, nil)
		goesOn(func() { s.emit(up(bob)) })
		want(sd.Live, nil)
		step(func() { s.fail(errDown) })
		want(sd.Stale, errDown)
		goesOn(func() { s.fail(sd.ErrDenied) })
		want(sd.Stale, sd.ErrDenied)
		same(t, "set while stale", []string{alice, bob}, r.last())
		step(func() { s.emit(reset(alice, bob)) })
		want(sd.Live, nil)

		same(t, "events", 2, len(r.sets))
		same(t, "Event.Err", 0, len(r.errs))
	})
}

// What comes from a registry is untrusted.
func TestInvalidNamesAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		s := &source{changes: make(chan sd.Change), failures: make(chan error)}
		i := sd.NewInstancer(s, kitlog.NewLogfmtLogger(&lines))
		defer i.Stop()
		r := read(t, i)

		s.emit(reset("example.com:80", alice, "192.0.2.1:0", ""))
		same(t, "sets", [][]string{{alice}}, r.sets)
		same(t, "rejected", 3, i.Rejected())
		pass(time.Second)
		s.emit(up("\x1b[31m", strings.Repeat("a", 1<<20)))
		s.emit(down("example.com:80"))
		same(t, "sets", [][]string{{alice}}, r.sets)
		same(t, "rejected", 5, i.Rejected())

		same(t, "log lines about it", 1, strings.Count(lines.String(), "no instance"))
		if !strings.Contains(lines.String(), "example.com:80") {
			t.Errorf("log: want the first name that was left out, have %s", lines.String())
		}
	})
}

// A registry of nothing but invalid names is an empty set.
func TestOnlyInvalidNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset("lock-0000000001"))
		same(t, "sets", [][]string{{}}, r.sets)
	})
}

// Watch is called again for as long as anybody may be interested, and never in a busy loop.
func TestWatchIsRetried(t *testing.T) {
	refuses := func(context.Context, func(sd.Change)) error { return errDown }
	emitsAndFails := func(_ context.Context,
		emit func(sd.Change)) error {
		emit(reset(alice))
		return errDown
	}
	for name, test := range map[string]struct {
		watch       watcher
		least, most int // calls in ten minutes
	}{
		// A pause is half a second on average.
		"fails": {refuses, 600, 2400},
		// A twentieth of a second.
		"emits, then fails": {emitsAndFails, 6000, 24000},
		"returns nil": {func(context.Context, func(sd.Change)) error { return nil }, 600,
			2400}, // against its contract
		// Somebody has to act first.
		"is denied": {func(context.Context, func(sd.Change)) error { return sd.ErrDenied }, 20, 40},
		"fails with a cancel": {func(context.Context,
			func(sd.Change)) error {
			return context.Canceled
		}, 600, 2400}, // not that of its ctx
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				i := sd.NewInstancer(watcher(func(ctx context.Context, emit func(sd.Change)) error {
					calls++
					return test.watch(ctx, emit)
				}), kitlog.NewNopLogger())
				pass(10 * time.Minute)
				i.Stop()
				if calls < test.least || calls > test.most {
					t.Errorf("calls of Watch in ten minutes: want %d to %d, have %d", test.least,
						test.most, calls)
				}
			})
		})
	}
}

// A watcher is a Backend that is one function.
type watcher func(ctx context.Context, emit func(sd.Change)) error

func (w watcher) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	return w(ctx, emit)
}
func (watcher) Announce(context.Context, sd.Entry,
	func(sd.Status)) error {
	panic("not a Registrar")
}
func (watcher) Close() error { panic("not the Instancer's to close") }

// Stop waits for Watch, however long that takes to clean up.
func TestStopWaitsForWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := sd.NewInstancer(watcher(func(ctx context.Context, _ func(sd.Change)) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return ctx.Err()
		}), kitlog.NewNopLogger())
		synctest.Wait()
		start := time.Now()
		i.Stop()
		same(t, "Stop took", time.Second, time.Since(start))
	})
}

func TestStopMayBeCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset(alice))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(i.Stop)
		}
		wg.Wait()
		i.Stop()
		same(t, "calls of Watch", 1, int(s.watches.Load()))
		same(t, "sets", [][]string{{alice}}, r.sets)
	})
}

func TestNothingIsSentAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset(alice))
		slow := make(chan kitsd.Event)
		i.Register(slow)
		synctest.Wait() // the set is on offer
		i.Stop()
		late := read(t, i)
		i.Follow(func(sd.Change) { t.Error("a follower was called after Stop") })()
		pass(time.Minute)
		select {
		case e := <-slow:
			t.Errorf("after Stop: want nothing sent, have %v", e)
		default:
		}
		same(t, "sets of one who registered after Stop", 0, len(late.sets))
	})
}

// The differences of the source reach every kind of subscriber as the same set.
func TestSubscribersAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		f := follow(t, i)
		var want []string
		s.emit(reset())
		for n := range 300 {
			s.emit(up(instance(n)))
			want = append(want, instance(n))
			if n%3 == 0 {
				s.emit(down(instance(n / 3)))
				want = slices.DeleteFunc(want, func(s string) bool { return s == instance(n/3) })
			}
			pass(time.Duration(n) * time.Millisecond)
		}
		pass(time.Second)
		slices.Sort(want)
		same(t, "the reader's set", fmt.Sprint(want), fmt.Sprint(r.last()))
		same(t, "the follower's set", fmt.Sprint(want), fmt.Sprint(f.set()))
	})
}

// A registry that answers again, and has no directory, is not blamed for the outage before.
func TestUnknownForgetsAnOutageThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		for range 10 {
			s.fail(errDown)
			pass(time.Second)
			if have := i.State(); have.Phase != sd.Unknown || !errors.Is(have.Err, errDown) {
				t.Fatalf("want unknown because of %v, have %v", errDown, have)
			}
		}
		pass(time.Minute)
		if have := i.State(); have.Phase != sd.Unknown || have.Err != nil {
			t.Errorf("want unknown without a reason, have %v", have)
		}
	})
}

// After Stop nobody vouches for the set.
func TestStaleAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset(alice))
		pass(time.Second)
		stopped := time.Now()
		i.Stop()
		pass(time.Hour)
		i.Stop()
		if have := i.State(); have.Phase != sd.Stale || !have.Since.Equal(stopped) ||
			!errors.Is(have.Err, sd.ErrClosed) {
			t.Errorf("want stale since %v, have %v since %v", stopped, have, have.Since)
		}
	})
}

// Nor when there was a set before, and the directory is gone since.
func TestStaleForgetsAnOutageThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset(alice))
		s.fail(errDown)
		pass(time.Minute)
		if have := i.State(); have.Phase != sd.Stale || errors.Is(have.Err, errDown) {
			t.Errorf("want stale for another reason than %v, have %v", errDown, have)
		}
	})
}
