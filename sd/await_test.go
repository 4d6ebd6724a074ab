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
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

// awaiting calls await with a minute of time, and returns what it returned and when.
func awaiting(t *testing.T, await func(context.Context) error) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended <- await(ctx)
	}()
	synctest.Wait()
	return ended
}

// wantAwait checks that an Await has ended just so. Nil is an Await that succeeded.
func wantAwait(t *testing.T, what string, ended <-chan error, want ...error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-ended:
		if len(want) == 0 && err != nil {
			t.Errorf("%s: want nil, have %v", what, err)
		}
		for _, w := range want {
			if !errors.Is(err, w) {
				t.Errorf("%s: want %v, have %v", what, w, err)
			}
		}
	default:
		t.Errorf("%s: want it ended, have it waiting", what)
	}
}

func TestAwaitOfAnInstancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		early := awaiting(t, i.Await)
		s.fail(errDown)
		late := awaiting(t, i.Await)
		pass(time.Minute)
		wantAwait(t, "an early one", early, context.DeadlineExceeded)
		wantAwait(t, "a late one", late, context.DeadlineExceeded)
		s.fail(errDown)
		third := awaiting(t, i.Await)
		pass(time.Second)
		for range 60 { // the reason is that of the end
			s.fail(errDown)
			time.Sleep(time.Second)
		}
		wantAwait(t, "one with a reason", third, context.DeadlineExceeded, errDown)

		there := awaiting(t, i.Await)
		s.emit(reset(alice))
		wantAwait(t, "one that saw it live", there)
		wantAwait(t, "one while it is live", awaiting(t, i.Await))
		s.fail(errDown)
		stale := awaiting(t, i.Await)
		i.Stop()
		wantAwait(t, "one beside Stop", stale, sd.ErrClosed)
		wantAwait(t, "one after Stop", awaiting(t, i.Await), sd.ErrClosed)
		wantAlways(t, "after Stop", i.Await, sd.ErrClosed)
	})
}

// wantAlways checks what await returns with a context that has ended: always the same.
func wantAlways(t *testing.T, what string, await func(context.Context) error, want error) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if err := await(ended); !errors.Is(err, want) {
			t.Fatalf("%s, in a context that has ended: want %v, have %v", what, want, err)
		}
	}
}

// When Await has returned the set is there.
func TestInstancesOfAnInstancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		if have := i.Instances(); have != nil {
			t.Errorf("before the first answer: want nil, have %q", have)
		}
		there := awaiting(t, i.Await)
		s.emit(reset(carol, alice))
		wantAwait(t, "await", there)
		same(t, "instances", []string{alice, carol}, i.Instances())
		clear(i.Instances())
		s.fail(errDown)
		same(t, "instances while it is stale", []string{alice, carol}, i.Instances())
		s.emit(reset())
		if have := i.Instances(); have == nil || len(have) > 0 {
			t.Errorf("of an empty set: want an empty one, have %#v", have)
		}
		i.Stop()
		same(t, "instances after Stop", 0, len(i.Instances()))
	})
}

func TestAwaitOfARegistrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: fails(sd.ErrConflict)}
		r := registrar(t, d)
		early := awaiting(t, r.Await) // before Register
		r.Register()
		pass(time.Minute)
		wantAwait(t, "one in a conflict", early, context.DeadlineExceeded, sd.ErrConflict)
		waiting := awaiting(t, r.Await)
		d.then(holds)
		pass(time.Second)
		wantAwait(t, "one that saw it registered", waiting)
		wantAwait(t, "one while it is registered", awaiting(t, r.Await))
		r.Deregister()
		wantAwait(t, "one after Deregister", awaiting(t, r.Await), sd.ErrClosed)

		d.then(hangs)
		go r.Register()
		synctest.Wait()
		again := awaiting(t, r.Await)
		r.Deregister()
		wantAwait(t, "one beside Deregister", again, sd.ErrClosed)
		wantAlways(t, "after Deregister", r.Await, sd.ErrClosed)
	})
}

// Deregister ends every wait, also where there has been no Register, until there is one.
func TestAwaitOfARegistrarThatNeverRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registrar(t, &desk{announce: holds})
		wantAlways(t, "before Register", r.Await, context.Canceled)
		early := awaiting(t, r.Await)
		r.Deregister()
		wantAwait(t, "one beside Deregister", early, sd.ErrClosed)
		wantAlways(t, "after Deregister", r.Await, sd.ErrClosed)
		same(t, "phase", sd.Withdrawn, r.State().Phase)
		r.Register()
		wantAlways(t, "after Register", r.Await, nil)
	})
}

// The operator's withholding is an answer too: Register and Await settle in it, and a registration
// that is lost meanwhile has not been one.
func TestWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		byLine := errors.New(`withdraw 192.0.2.0/24 by=ops`)
		next := make(chan sd.Status)
		lost := make(chan error)
		r, err := sd.NewRegistrar(telling{next, lost}, alice, kitlog.NewLogfmtLogger(&lines))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Deregister()
		go func() { next <- sd.Status{Phase: sd.Withheld, Err: byLine} }()
		same(t, "Register took", 0, timed(r.Register))
		wantState(t, r, sd.Withheld, byLine)
		wantAwait(t, "await", awaiting(t, r.Await))
		lost <- errDown
		synctest.Wait()
		wantState(t, r, sd.Registering, errDown)
		next <- sd.Status{Phase: sd.Registered}
		synctest.Wait()
		wantState(t, r, sd.Registered, nil)
		next <- sd.Status{Phase: sd.Withheld, Err: byLine}
		synctest.Wait()
		wantState(t, r, sd.Withheld, byLine)
		r.Deregister()
		synctest.Wait()
		want, have := `msg=withheld err="withdraw 192.0.2.0/24 by=ops"`, lines.String()
		if !strings.Contains(have, want) {
			t.Errorf("log: want %s in it, have\n%s", want, have)
		}
	})
}

// A telling Backend tells what it is told.
type telling struct {
	next chan sd.Status
	lost chan error
}

func (b telling) Watch(context.Context, sd.Want, func(sd.Change)) error { panic("not called") }
func (b telling) Close() error                                          { panic("not the Registrar's to close") }
func (b telling) Announce(ctx context.Context, _ sd.Entry, told func(sd.Status)) error {
	for {
		select {
		case s := <-b.next:
			told(s)
		case err := <-b.lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// phases notes the phases that a subscription tells, up to its end.
func phases(states func(func(sd.State)) func()) (told func() []sd.Phase, stop func()) {
	var mu sync.Mutex
	var all []sd.Phase
	stop = states(func(s sd.State) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, s.Phase)
	})
	synctest.Wait()
	return func() []sd.Phase {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}, stop
}

// Whoever follows the states is told each of them, and no set delays it.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		told, stop := phases(i.States)
		defer stop()
		stuck := i.Follow(func(sd.Change) { time.Sleep(time.Hour) })
		defer stuck()
		s.emit(reset(alice))
		s.emit(up(bob))
		s.fail(errDown)
		s.emit(reset(alice))
		i.Stop()
		i.States(func(sd.State) { t.Error("told after Stop") })()
		same(t, "phases of an instancer", []sd.Phase{sd.Unknown, sd.Live, sd.Stale, sd.Live,
			sd.Stale}, told())

		registry := mem.NewRegistry()
		r := registrar(t, registry.Open())
		told, stop = phases(r.States)
		r.Register()
		synctest.Wait()
		registry.Fail(errDown)
		synctest.Wait()
		registry.Fail(nil)
		pass(time.Second)
		r.Deregister()
		synctest.Wait()
		stop()
		r.Register()
		want := []sd.Phase{sd.Withdrawn, sd.Registered, sd.Lost, sd.Registered, sd.Withdrawn}
		same(t, "phases of a registrar", want, slices.Compact(without(told(), sd.Registering)))
	})
}

// without leaves out a phase that may be too short to be told.
func without(all []sd.Phase, p sd.Phase) []sd.Phase {
	return slices.DeleteFunc(all, func(have sd.Phase) bool { return have == p })
}

// Readiness of a program that serves and calls: both sides are waited for.
func ExampleRegistrar_Await() {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	registrar, err := sd.NewRegistrar(backend, "192.0.2.1:8897", kitlog.NewNopLogger())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registrar.Deregister()
	go registrar.Register()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
	defer instancer.Stop()

	fmt.Println(registrar.Await(ctx), instancer.Await(ctx))
	fmt.Println(registrar.State().Phase, instancer.State().Phase)
	// Output:
	// <nil> <nil>
	// registered live
}
