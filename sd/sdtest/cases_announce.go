package sdtest

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"
)

func announceCases() []Case {
	cases := []Case{
		{
			Name: "AnnounceAndWithdraw",
			Rule: "Announce publishes, and withdraws when ctx is done",
			run:  announceAndWithdraw,
		},
		{Name: "AnnounceSideBySide", Rule: "calls may run side by side", run: sideBySide},
		{
			Name: "AnnouncedOnce",
			Rule: "a second Announce of one instance is a conflict, and takes nothing away",
			run:  announcedOnce,
		},
		{
			Name: "ForeignEntryStays",
			Rule: "Announce never removes an entry that is not its own",
			run:  foreignEntry,
		},
		{
			Name: "HandedOverEntryStays",
			Rule: "Announce never withdraws an entry that was handed over",
			run:  handedOver,
		},
		{
			Name: "LossIsReported",
			Rule: "Announce returns when the entry is lost, and can be called again",
			run:  lossReported,
		},
		{
			Name: "DoneOnlyWithdraws",
			Rule: "Announce with a done ctx only withdraws",
			run:  doneOnlyWithdraws,
		},
		{
			Name: "AnnounceLeavesNoGoroutine",
			Rule: "Announce leaves no goroutine behind",
			run:  announceLeak,
		},
	}
	return withAnnounce(cases)
}

// withAnnounce has each of the cases need Announce.
func withAnnounce(cases []Case) []Case {
	for n := range cases {
		cases[n].Needs.Announce = true
	}
	return cases
}

func announceAndWithdraw(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		a, err := announce(ctx, h, b, alice)
		if err != nil {
			return err
		}
		have, err := h.Instances() // up was called: no waiting
		return errors.Join(err,
			Same("registered at up", []string{alice}, have),
			a.stop(h),
			registered(h))
	})
}

func sideBySide(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		return with(h, func(other sd.Backend) error {
			w1, r1 := watch(ctx, b)
			w2, r2 := watch(ctx, other)
			a1, err1 := announce(ctx, h, b, alice)
			a2, err2 := announce(ctx, h, b, bob)
			a3, err3 := announce(ctx, h, other, carol)
			return errors.Join(err1, err2, err3,
				r1.shows(h, alice, bob, carol), r2.shows(h, alice, bob, carol),
				a2.stop(h), r1.shows(h, alice, carol), r2.shows(h, alice, carol),
				a1.stop(h), a3.stop(h), r1.shows(h), r2.shows(h),
				w1.stop(h), w2.stop(h))
		})
	})
}

func announcedOnce(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		first, err := announce(ctx, h, b, alice)
		if err != nil {
			return err
		}
		second := start(ctx, func(ctx context.Context) error {
			return b.Announce(ctx,
				sd.Entry{Instance: alice}, func(sd.Status) {})
		})
		if err := second.end(h); err != nil || !errors.Is(second.err, sd.ErrConflict) {
			return fmt.Errorf("second: want %v, have %w", sd.ErrConflict,
				errors.Join(err, second.err))
		}
		return errors.Join(registered(h, alice), first.stop(h), registered(h))
	})
}

// foreignEntry announces what another program holds: the backend must say
// conflict, leave the entry alone, and take over once it is gone.
func foreignEntry(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		if err := h.Put(alice); err != nil {
			return err
		}
		reg, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger())
		if err != nil {
			return err
		}
		defer reg.Deregister()
		reg.Register()
		return inOrder(
			func() error { return phase(h, reg.State, sd.Conflict) },
			func() error {
				if err := reg.State().Err; !errors.Is(err, sd.ErrConflict) {
					return fmt.Errorf("conflict: want %v, have %v", sd.ErrConflict, err)
				}
				return nil
			},
			func() error { reg.Deregister(); h.Settle(); return registered(h, alice) },
			func() error { reg.Register(); return h.Remove(alice) },
			func() error { return phase(h, reg.State, sd.Registered) },
			func() error { reg.Deregister(); return registered(h) },
		)
	})
}

func handedOver(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		a, err := announce(ctx, h, b, alice)
		if err != nil {
			return err
		}
		if err := errors.Join(h.Put(alice), a.end(h)); err != nil {
			return err
		}
		if errors.Is(a.err, context.Canceled) || a.err == nil {
			return fmt.Errorf("entry handed over: want why it is lost, have %v", a.err)
		}
		a = start(ctx, func(ctx context.Context) error {
			return b.Announce(ctx,
				sd.Entry{Instance: alice}, func(sd.Status) {})
		})
		if err := a.end(h); err != nil {
			return err
		}
		if !errors.Is(a.err, sd.ErrConflict) {
			return fmt.Errorf("announce of what was handed over: want %v, have %v", sd.ErrConflict,
				a.err)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if err := b.Announce(done, sd.Entry{Instance: alice}, func(sd.Status) {}); !errors.Is(err,
			context.Canceled) {
			return fmt.Errorf("withdraw: want %v, have %v", context.Canceled, err)
		}
		return registered(h, alice)
	})
}

func lossReported(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		for range 3 {
			a, err := announce(ctx, h, b, alice)
			if err != nil {
				return err
			}
			if err := errors.Join(h.Remove(alice), a.end(h)); err != nil {
				return err
			}
			if errors.Is(a.err, context.Canceled) || errors.Is(a.err, sd.ErrConflict) ||
				a.err == nil {
				return fmt.Errorf("entry removed: want why it is lost, have %v", a.err)
			}
		}
		return registered(h)
	})
}

func doneOnlyWithdraws(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		done, cancel := context.WithCancel(ctx)
		cancel()
		err := b.Announce(done, sd.Entry{Instance: alice}, func(sd.Status) {})
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("want %v, have %v", context.Canceled, err)
		}
		h.Settle()
		return registered(h)
	})
}

func announceLeak(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		cycle := func() error {
			a, err := announce(ctx, h, b, alice)
			return errors.Join(err, a.stop(h))
		}
		if err := cycle(); err != nil { // what the backend starts once is its own
			return err
		}
		before := goleak.IgnoreCurrent()
		return errors.Join(cycle(), leaked(before))
	})
}
