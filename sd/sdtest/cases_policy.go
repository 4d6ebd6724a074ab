package sdtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/daytime/sd"
)

// What steers an Announce, and clients.
func policyCases() []Case {
	store, both := Lacks{Policy: true}, Lacks{Announce: true, Policy: true}
	return []Case{
		{
			Name:  "PolicyComesWithTheSet",
			Rule:  "the first Reset has the policy",
			Needs: store,
			run:   policyComesWithSet,
		},
		{
			Name:  "PolicyChanges",
			Rule:  "a policy that was written is told, and its end is",
			Needs: store,
			run:   policyChanges,
		},
		{
			Name:  "PolicyIsComparedAndSet",
			Rule:  "a policy is written only in the place of the version that its writer has read",
			Needs: store,
			run:   policyComparedAndSet,
		},
		{
			Name:  "WithheldNeverAppears",
			Rule:  "an entry is not published while the policy withholds it, and is after that",
			Needs: both,
			run:   withheldNeverAppears,
		},
		{
			Name:  "WithheldWithdraws",
			Rule:  "an entry is withdrawn when the policy withholds it, and Announce goes on",
			Needs: both,
			run:   withheldWithdraws,
		},
		{
			Name:  "WithheldIsNoConflict",
			Rule:  "an entry that the policy withholds is withheld, also where another's is, which stays",
			Needs: both,
			run:   withheldIsNoConflict,
		},
		{
			Name:  "WithheldIsReadFirst",
			Rule:  "the policy is read before a publication after a loss, too",
			Needs: both,
			run:   withheldAfterFailure,
		},
	}
}

// write replaces the policy, whatever it is.
func write(ctx context.Context, b sd.Backend, document string) error {
	store, err := sd.PolicyOf(b)
	if err != nil {
		return err
	}
	_, version, err := store.ReadPolicy(ctx)
	if err != nil {
		return err
	}
	return store.WritePolicy(ctx, document, version)
}

func policyComesWithSet(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, writing sd.Backend) error {
		if err := errors.Join(h.Put(alice), write(ctx, writing, drainAlice)); err != nil {
			return err
		}
		for _, document := range []string{drainAlice, ""} { // also that there is none
			if err := write(ctx, writing, document); err != nil {
				return err
			}
			w, r := watchWanting(ctx, watched, everything)
			if err := r.shows(h, alice); err != nil {
				return err
			}
			if p := r.first().Policy; p == nil || p.Document != document {
				return fmt.Errorf("policy of the first Reset: want %q, have %+v", document, p)
			}
			if err := w.stop(h); err != nil {
				return err
			}
		}
		return nil
	})
}

func policyChanges(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, writing sd.Backend) error {
		w, r := watchWanting(ctx, watched, everything)
		if err := errors.Join(h.Put(alice), r.shows(h, alice)); err != nil {
			return err
		}
		for _, document := range []string{drainAlice, drainBob, unreadable, drainAlice, ""} {
			err := errors.Join(write(ctx, writing, document), r.showsPolicy(h, document))
			if err != nil {
				return err
			}
			store, _ := sd.PolicyOf(watched)
			have, version, err := store.ReadPolicy(ctx)
			if err != nil {
				return err
			}
			if told := r.policy(); have != document || version != told.Version {
				return fmt.Errorf("read: want %q of version %d, as it was told, have %q of %d",
					document, told.Version, have, version)
			}
		}
		return errors.Join(r.shows(h, alice), w.stop(h))
	})
}

func policyComparedAndSet(ctx context.Context, h Harness) error {
	return withTwo(h, func(one, other sd.Backend) error {
		first, err := sd.PolicyOf(one)
		if err != nil {
			return err
		}
		second, err := sd.PolicyOf(other)
		if err != nil {
			return err
		}
		_, version, err := first.ReadPolicy(ctx)
		if err := errors.Join(err, second.WritePolicy(ctx, drainAlice, version)); err != nil {
			return err
		}
		if err := first.WritePolicy(ctx, drainBob, version); !errors.Is(err, sd.ErrOutdated) {
			return fmt.Errorf("write in the place of an old version: want %v, have %v",
				sd.ErrOutdated, err)
		}
		have, next, err := first.ReadPolicy(ctx)
		if err != nil {
			return err
		}
		if have != drainAlice || next == version {
			return fmt.Errorf("after it: want %q and another version than %d, have %q and %d",
				drainAlice, version, have, next)
		}
		return first.WritePolicy(ctx, drainBob, next)
	})
}

// withheldNeverAppears announces while the policy withholds, and lifts it.
func withheldNeverAppears(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		w, r := watchWanting(ctx, watched, sd.Want{})
		if err := errors.Join(r.shows(h), write(ctx, watched, withholdAlice)); err != nil {
			return err
		}
		a := announceTelling(ctx, announcing, sd.Entry{Instance: alice})
		err := inOrder(
			func() error { return a.isTold(h, sd.Withheld, "line 3") },
			func() error { pause(50 * time.Millisecond); return registered(h) },
			func() error { return write(ctx, watched, unreadable) }, // the last one stays
			func() error { h.Settle(); pause(50 * time.Millisecond); h.Settle(); return registered(h) },
			func() error { return write(ctx, watched, drainAlice) },
			func() error { return a.isTold(h, sd.Registered, "") },
			func() error { return r.shows(h, alice) },
		)
		if err == nil && r.downs() > 0 {
			err = errors.New("the entry has appeared before the line was gone")
		}
		return errors.Join(err, a.stop(h), r.shows(h), w.stop(h))
	})
}

func withheldWithdraws(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		a := announceTelling(ctx, announcing, sd.Entry{Instance: alice})
		for range 2 {
			err := inOrder(
				func() error { return a.isTold(h, sd.Registered, "") },
				func() error { return registered(h, alice) },
				func() error { return write(ctx, watched, withholdAlice) },
				func() error { return a.isTold(h, sd.Withheld, "line 3") },
				func() error { return registered(h) },
				func() error { return write(ctx, watched, "") },
			)
			if err != nil {
				return err
			}
		}
		return errors.Join(a.isTold(h, sd.Registered, ""), a.stop(h), registered(h))
	})
}

func withheldIsNoConflict(ctx context.Context, h Harness) error {
	return withTwo(h, func(writing, announcing sd.Backend) error {
		err := errors.Join(h.Put(alice), write(ctx, writing, withholdAlice))
		if err != nil {
			return err
		}
		a := announceTelling(ctx, announcing, sd.Entry{Instance: alice})
		return inOrder(
			func() error { return a.isTold(h, sd.Withheld, "line 3") },
			func() error { return registered(h, alice) },
			func() error { return write(ctx, writing, "") },
			func() error { return a.end(h) },
			func() error {
				if !errors.Is(a.err, sd.ErrConflict) {
					return fmt.Errorf("once it is not withheld: want %v, have %v", sd.ErrConflict, a.err)
				}
				return registered(h, alice)
			},
		)
	})
}

// withheldAfterFailure has the line written while the one who announces is cut off. That is a
// failure of the registry for all, so the line is written just before it.
func withheldAfterFailure(ctx context.Context, h Harness) error {
	return withTwo(h, func(writing, announcing sd.Backend) error {
		if err := write(ctx, writing, withholdAlice); err != nil {
			return err
		}
		w, r := watch(ctx, writing)
		if err := r.shows(h); err != nil {
			return err
		}
		w.cancel()
		if err := h.Fail(); err != nil {
			return err
		}
		a := announceTelling(ctx, announcing, sd.Entry{Instance: alice})
		h.Settle()
		if err := h.Restore(); err != nil {
			return err
		}
		return eventually(h, func() error {
			have, err := h.Instances()
			if err := errors.Join(err, Same("registered", nil, have)); err != nil {
				return err
			}
			select {
			case <-a.done: // the failure was noticed: called again, as a Registrar does
				a = announceTelling(ctx, announcing, sd.Entry{Instance: alice})
			default:
			}
			if s := a.status(); s.Phase != sd.Withheld {
				return fmt.Errorf("told: want %s, have %v", sd.Withheld, s)
			}
			return nil
		})
	})
}

// isTold waits until Announce has told the phase, because of a reason that contains text.
func (a *announcing) isTold(h Harness, p sd.Phase, text string) error {
	return eventually(h, func() error {
		s := a.status()
		if s.Phase != p || text != "" && (s.Err == nil || !strings.Contains(s.Err.Error(), text)) {
			return fmt.Errorf("told: want %s and %q in the error, have %+v", p, text, s)
		}
		return nil
	})
}
