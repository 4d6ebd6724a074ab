package sdtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// What a Registrar makes of a Backend.
func registrarCases() []Case {
	return withAnnounce([]Case{
		{
			Name: "KeptRegistered",
			Rule: "a Registrar restores what was removed",
			run:  keptRegistered,
		},
		{
			Name: "RegisteredAfterFailure",
			Rule: "a Registrar holds through a failure, and no write is needed",
			run:  registeredAfterFailure,
		},
		{
			Name: "WithdrawnAfterFailure",
			Rule: "a withdrawal during a failure is carried out after it",
			run:  withdrawnAfterFailure,
		},
		{
			Name: "WithdrawnAtFirstContact",
			Rule: "a withdrawal that was not confirmed in 2 s is carried out at the first contact",
			run:  withdrawnAtFirstContact,
		},
	})
}

func keptRegistered(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		reg, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger())
		if err != nil {
			return err
		}
		reg.Register()
		defer reg.Deregister()
		for range 3 {
			if err := errors.Join(registered(h, alice), h.Remove(alice)); err != nil {
				return err
			}
		}
		return errors.Join(registered(h, alice), phase(h, reg.State, sd.Registered))
	})
}

func registeredAfterFailure(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		w, r := watch(ctx, b)
		defer w.cancel()
		reg, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger())
		if err != nil {
			return err
		}
		defer reg.Deregister()
		reg.Register()
		err = inOrder(
			func() error { return r.shows(h, alice) },
			h.Fail,
			func() error { h.Settle(); return h.Restore() },
			func() error { return registered(h, alice) },
			func() error { return phase(h, reg.State, sd.Registered) },
			func() error { reg.Deregister(); return registered(h) },
			func() error { h.Settle(); pause(2 * time.Second); h.Settle(); return registered(h) },
		)
		return errors.Join(err, phase(h, reg.State, sd.Withdrawn))
	})
}

func withdrawnAfterFailure(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		a, err := announce(ctx, h, b, alice)
		if err != nil {
			return err
		}
		return inOrder(
			h.Fail,
			func() error { h.Settle(); a.cancel(); return a.end(h) },
			h.Restore,
			func() error {
				// Where the failure was noticed the call has returned before,
				// and a last one with ctx done withdraws.
				done, cancel := context.WithCancel(ctx)
				cancel()
				if err := b.Announce(done, sd.Entry{Instance: alice},
					func(sd.Status) {}); !errors.Is(err, context.Canceled) {
					return fmt.Errorf("withdraw: want %v, have %v", context.Canceled, err)
				}
				return nil
			},
			func() error { return registered(h) },
		)
	})
}

// withdrawnAtFirstContact deregisters while the registry is unreachable, and never asks again.
func withdrawnAtFirstContact(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		reg, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger())
		if err != nil {
			return err
		}
		defer reg.Deregister()
		reg.Register()
		return inOrder(
			func() error { return phase(h, reg.State, sd.Registered) },
			h.Fail,
			func() error {
				h.Settle()
				began := time.Now()
				reg.Deregister()
				if took := time.Since(began); took > 2500*time.Millisecond {
					return fmt.Errorf("time until Deregister returned: want 2s at most, have %v",
						took)
				}
				if s := reg.State(); s.Phase != sd.Withdrawn ||
					!errors.Is(s.Err, sd.ErrUnconfirmed) {
					return fmt.Errorf("state: want %s and %v, have %v", sd.Withdrawn,
						sd.ErrUnconfirmed, s)
				}
				return registered(h, alice)
			},
			h.Restore,
			func() error { return registered(h) },
		)
	})
}
