package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// withPolicy names the schemes whose registries have a policy, for messages.
const withPolicy = "zk:// or etcd://"

// A desk is where the operator of this command works.
type desk struct {
	steer.Desk
	registry *registry
	stdio    *shell.Stdio
}

// openDesk opens a registry that has a policy, and waits c.timeout at most for who is registered.
func (c *config) openDesk(ctx context.Context, stdio *shell.Stdio) (*desk, error) {
	now := *c
	now.snapshot = "" // who was registered once is not who is affected
	r, err := now.open(stdio, true, true)
	if err != nil {
		return nil, err
	}
	store, err := storeOf(r.backend, c.sd)
	if err != nil {
		r.Close()
		return nil, err
	}
	state := r.settle(ctx, c.timeout)
	if state.Phase != sd.Live && !errors.Is(state.Err, sd.ErrNoDirectory) {
		r.Close()
		return nil, fmt.Errorf("%s: %s", c.sd, statelog.Why(state))
	}
	return &desk{steer.Desk{Store: store, Fleet: r.Entries, Timeout: c.timeout,
		DryRun: c.steer.dryRun, Force: c.steer.force}, r, stdio}, nil
}

// storeOf returns the policy of a registry, or the error of a wrong command if that has none.
func storeOf(backend sd.Backend, target string) (sd.PolicyStore, error) {
	store, err := sd.PolicyOf(backend)
	if err != nil {
		err = fmt.Errorf("%q: %w; want %s", target, sd.ErrNoPolicy, withPolicy)
		return nil, shell.UsageError("sd", err)
	}
	return store, nil
}

func (d *desk) Close() { d.registry.Close() }

// warn logs a warning about the registry.
func (d *desk) warn(message string) { level.Warn(d.registry.logger).Log("msg", message) }

// do carries an edit out, and prints what it has done.
func (d *desk) do(ctx context.Context, edit steer.Edit) (steer.Outcome, error) {
	outcome, err := d.Do(ctx, edit)
	text := outcome.String()
	switch {
	case err != nil:
	case text == "":
		text = "nothing to change\n"
	case d.DryRun && outcome.Impact.Refused:
		text += "dry run, nothing is written; without --force it would be refused\n"
	case d.DryRun:
		text += "dry run, nothing is written\n"
	}
	if err != nil {
		err = fmt.Errorf("%v: %w", d.registry.target, err)
	}
	if failed := put(d.stdio.Out, text); err == nil && text != "" {
		err = quiet(failed)
	}
	return outcome, err
}

// warnUnmatched warns of a SEL that matches nobody.
func (d *desk) warnUnmatched(o steer.Outcome, s policy.Selector) {
	compiled := o.After.Compile(time.Now())
	if !slices.ContainsFunc(o.Fleet, func(e policy.Entry) bool { return compiled.Matches(s, e) }) {
		d.warn(fmt.Sprintf("%v matches nobody who is registered now", s))
	}
}
