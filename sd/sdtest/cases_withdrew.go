package sdtest

import (
	"context"
	"errors"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// How an instance left: the cases of Change.Withdrew. That it is part of Down, and that a Reset has
// none, the Recorder checks in every case.
func withdrewCases() []Case {
	announce, withdrew := Lacks{Announce: true}, Lacks{Announce: true, Withdrew: true}
	return []Case{
		{
			Name:  "WithdrawalIsToldAsOne",
			Rule:  "an instance whose Announce was cancelled withdrew",
			Needs: withdrew,
			run:   toldAsWithdrawn,
		},
		{
			Name:  "DeregisteredWithdrew",
			Rule:  "an instance that a Registrar took out of the registry withdrew",
			Needs: withdrew,
			run:   deregisteredWithdrew,
		},
		{
			Name:  "LossIsNoWithdrawal",
			Rule:  "an instance whose entry was removed otherwise is lost",
			Needs: announce,
			run:   lossIsNoWithdrawal,
		},
		{
			Name:  "LastDepartureCounts",
			Rule:  "an instance that withdrew, came back and was lost is lost",
			Needs: announce,
			run:   lastDepartureCounts,
		},
	}
}

func toldAsWithdrawn(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		w, r := watch(ctx, watched)
		a1, err1 := announce(ctx, h, announcing, alice)
		a2, err2 := announce(ctx, h, announcing, bob)
		a3, err3 := announce(ctx, h, watched, carol) // also where the watching client announces
		return errors.Join(err1, err2, err3,
			r.shows(h, alice, bob, carol),
			a1.stop(h), r.showsLeft(h, []string{alice}, nil),
			a3.stop(h), r.showsLeft(h, []string{alice, carol}, nil),
			r.shows(h, bob),
			a2.stop(h), r.showsLeft(h, []string{alice, bob, carol}, nil),
			w.stop(h))
	})
}

func deregisteredWithdrew(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		i := sd.NewInstancer(watched, kitlog.NewNopLogger())
		defer i.Stop()
		r := NewRecorder()
		defer i.Follow(r.Emit)()
		reg, err := sd.NewRegistrar(announcing, alice, kitlog.NewNopLogger())
		if err != nil {
			return err
		}
		for range 2 { // the second time like the first
			reg.Register()
			err := r.shows(h, alice)
			reg.Deregister()
			if err := errors.Join(err, r.showsLeft(h, []string{alice}, nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

// lossIsNoWithdrawal removes what a live client has announced, and what another program has put
// there.
func lossIsNoWithdrawal(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		w, r := watch(ctx, watched)
		a, err := announce(ctx, h, announcing, alice)
		if err != nil {
			return err
		}
		return inOrder(
			func() error { return h.Put(bob) },
			func() error { return r.shows(h, alice, bob) },
			func() error { return errors.Join(h.Remove(alice), h.Remove(bob)) },
			func() error { return a.end(h) },
			func() error { return r.showsLeft(h, nil, []string{alice, bob}) },
			func() error { return w.stop(h) },
		)
	})
}

func lastDepartureCounts(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		w, r := watch(ctx, watched)
		for range 2 {
			a, err := announce(ctx, h, announcing, alice)
			err = errors.Join(err, r.shows(h, alice), a.stop(h), r.shows(h))
			if err != nil {
				return err
			}
		}
		a, err := announce(ctx, h, announcing, alice)
		if err := errors.Join(err, r.shows(h, alice), h.Remove(alice), a.end(h)); err != nil {
			return err
		}
		return errors.Join(r.showsLeft(h, nil, []string{alice}), w.stop(h))
	})
}

// withTwo opens two clients for the time of f.
func withTwo(h Harness, f func(watched, announcing sd.Backend) error) error {
	return with(h, func(watched sd.Backend) error {
		return with(h, func(announcing sd.Backend) error { return f(watched, announcing) })
	})
}

// showsLeft waits until just these have left, each in its way.
func (r *Recorder) showsLeft(h Harness, withdrew, lost []string) error {
	return eventually(h, func() error {
		haveWithdrew, haveLost := r.Left()
		return errors.Join(
			Same("withdrew", withdrew, haveWithdrew),
			Same("lost", lost, haveLost),
			r.Err())
	})
}
