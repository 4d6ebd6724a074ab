package sdtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"
)

// Cases returns the rules of the contract, in the order of its sentences.
func Cases() []Case {
	return slices.Concat(watchCases(), announceCases(), registrarCases(), withdrewCases(),
		attributeCases(), policyCases())
}

func watchCases() []Case {
	return []Case{
		{
			Name: "FirstEmitIsWholeSet",
			Rule: "the first emit is a Reset with the whole set",
			run:  firstEmit,
		},
		{
			Name: "EmptyIsASet",
			Rule: "an empty directory that exists is an empty set",
			run:  emptySet,
		},
		{
			Name: "UnknownIsNotEmpty",
			Rule: "nothing is emitted before the set was read",
			run:  unknownIsNotEmpty,
		},
		{Name: "DifferencesAreExact", Rule: "a difference is exact", run: differences},
		{
			Name: "ArmedBeforeRead",
			Rule: "the watch is armed before the set is read",
			run:  armedBeforeRead,
		},
		{
			Name: "NothingAfterReturn",
			Rule: "emit is never called after Watch returned",
			run:  nothingAfterReturn,
		},
		{Name: "WatchLeavesNoGoroutine", Rule: "Watch leaves no goroutine behind", run: watchLeak},
		{
			Name: "KeptThroughFailure",
			Rule: "a set is never published because the registry failed",
			run:  keptThroughFailure,
		},
		{
			Name: "WatchedAfterFailure",
			Rule: "a failed read is followed by another",
			run:  watchedAfterFailure,
		},
		{
			Name:  "CloseEndsCalls",
			Rule:  "Close ends every call and withdraws what is its own",
			Needs: Lacks{Announce: true},
			run:   closeEnds,
		},
	}
}

func firstEmit(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		if err := errors.Join(h.Put(alice), h.Put(bob)); err != nil {
			return err
		}
		w, r := watch(ctx, b)
		if err := r.shows(h, alice, bob); err != nil {
			return err
		}
		if n := r.Emits(); n != 1 {
			return fmt.Errorf("emits: want 1, have %d", n)
		}
		return w.stop(h)
	})
}

func emptySet(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		w, r := watch(ctx, b)
		return errors.Join(r.shows(h), w.stop(h))
	})
}

// unknownIsNotEmpty starts while the registry is unreachable.
func unknownIsNotEmpty(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		if err := errors.Join(h.Put(alice), h.Fail()); err != nil {
			return err
		}
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		defer i.Stop()
		r := NewRecorder()
		defer i.Follow(r.Emit)()
		return inOrder(
			func() error {
				h.Settle()
				pause(2 * time.Second)
				return phase(h, i.State,
					sd.Unknown)
			},
			h.Restore,
			func() error { return r.shows(h, alice) },
			func() error { return r.neverBelow(1) },
		)
	})
}

func differences(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		w, r := watch(ctx, b)
		return inOrder(
			func() error { return r.shows(h) },
			func() error { return h.Put(alice) },
			func() error { return r.shows(h, alice) },
			func() error { return errors.Join(h.Put(bob), h.Put(carol), h.Remove(alice)) },
			func() error { return r.shows(h, bob, carol) },
			func() error { return errors.Join(h.Remove(bob), h.Put(bob), h.Remove(carol)) },
			func() error { return r.shows(h, bob) },
			func() error { return w.stop(h) },
		)
	})
}

// armedBeforeRead makes changes for as long as a backend may need between
// reading and arming, a few at a time or all at once: none may be missed.
func armedBeforeRead(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		for round := range 20 {
			w, r := watch(ctx, b)
			var want []string
			for n := range 10 {
				name := fmt.Sprintf("192.0.2.%d:%d", 10+n, 8000+round)
				if err := h.Put(name); err != nil {
					return err
				}
				want = append(want, name)
				if round%2 == 0 {
					pause(time.Millisecond)
				}
			}
			if err := errors.Join(r.shows(h, want...), w.stop(h)); err != nil {
				return err
			}
			for _, name := range want {
				if err := h.Remove(name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func nothingAfterReturn(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		w, r := watch(ctx, b)
		return inOrder(
			func() error { return r.shows(h) },
			func() error { return w.stop(h) },
			func() error { return h.Put(alice) },
			func() error { h.Settle(); pause(50 * time.Millisecond); h.Settle(); return r.Err() },
		)
	})
}

func watchLeak(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		cycle := func() error {
			w, r := watch(ctx, b)
			return errors.Join(r.shows(h), w.stop(h))
		}
		if err := cycle(); err != nil { // what the backend starts once is its own
			return err
		}
		before := goleak.IgnoreCurrent()
		return errors.Join(cycle(), leaked(before))
	})
}

func keptThroughFailure(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		if err := errors.Join(h.Put(alice), h.Put(bob)); err != nil {
			return err
		}
		w, r := watch(ctx, b)
		return inOrder(
			func() error { return r.shows(h, alice, bob) },
			h.Fail,
			func() error { return w.end(h) }, // the set cannot be vouched for
			h.Restore,
			func() error { return r.neverBelow(2) },
		)
	})
}

func watchedAfterFailure(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		defer i.Stop()
		r := NewRecorder()
		defer i.Follow(r.Emit)()
		// The second failure finds what the first one broke.
		for _, name := range []string{alice, bob} {
			err := inOrder(
				func() error { return phase(h, i.State, sd.Live) },
				h.Fail,
				func() error { return phase(h, i.State, sd.Stale) },
				h.Restore,
				func() error { return phase(h, i.State, sd.Live) },
				func() error { return h.Put(name) },
			)
			if err != nil {
				return err
			}
		}
		return r.shows(h, alice, bob)
	})
}

// phase waits until state says want.
func phase(h Harness, state func() sd.State, want sd.Phase) error {
	return eventually(h, func() error { return Phase(state, want) })
}

func closeEnds(ctx context.Context, h Harness) error {
	b, err := h.Open()
	if err != nil {
		return err
	}
	w, r := watch(ctx, b)
	a, err := announce(ctx, h, b, alice)
	if err := errors.Join(err, h.Put(bob), r.shows(h, alice, bob)); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := errors.Join(b.Close(), w.end(h), a.end(h)); err != nil {
		return err
	}
	for _, c := range []*call{w, a} {
		if !errors.Is(c.err, sd.ErrClosed) {
			return fmt.Errorf("after Close: want %v, have %v", sd.ErrClosed, c.err)
		}
	}
	return registered(h, bob)
}

// with opens a client for the time of f.
func with(h Harness, f func(sd.Backend) error) error {
	b, err := h.Open()
	if err != nil {
		return err
	}
	return errors.Join(f(b), b.Close())
}

// inOrder calls each step until one fails.
func inOrder(steps ...func() error) error {
	for n, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", n+1, err)
		}
	}
	return nil
}
