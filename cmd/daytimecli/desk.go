package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// withPolicy names the schemes whose registries have a policy, for messages.
const withPolicy = "zk:// or etcd://"

// maxDropped is how many lines are named that are not written as they have expired.
const maxDropped = 3

// A desk is where the operator of this command works on one registry.
type desk struct {
	steer.Desk
	*discovery.Part
	stdio *shell.Stdio
}

// Desks are those of all registries that have a policy.
type desks struct {
	discovery *discovery.Discovery
	all       []*desk
	failed    []error // of the registries that do not answer
	stdio     *shell.Stdio
}

// openDesks opens the registries, and waits c.timeout at most for who is registered. Of several one
// may do; the error is that none does.
func (c *config) openDesks(ctx context.Context, stdio *shell.Stdio) (*desks, error) {
	now := *c
	now.snapshot = nil // who was registered once is not who is affected
	d, err := now.open(stdio, true, true)
	if err != nil {
		return nil, err
	}
	ds := &desks{discovery: d, stdio: stdio}
	stores, err := stores(d)
	if err == nil {
		err = d.Settle(ctx, c.timeout)
		if !errors.Is(err, shell.ErrInterrupted) {
			err = ds.addAll(stores, c) // each part tells for itself
		}
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return ds, nil
}

// addAll adds the desks of all registries. The error is that there is none.
func (ds *desks) addAll(stores []sd.PolicyStore, c *config) error {
	for i, p := range ds.discovery.Parts {
		ds.add(p, stores[i], c)
	}
	if len(ds.all) == 0 {
		return shell.InOneLine(ds.failed...)
	}
	return nil
}

// stores are the policies of the registries, nil for one that has none. If all have none it is the
// error of a wrong command.
func stores(d *discovery.Discovery) ([]sd.PolicyStore, error) {
	var stores []sd.PolicyStore
	var lacking []error
	for _, p := range d.Parts {
		store, err := storeOf(p.Registry)
		stores = append(stores, store)
		if err != nil {
			lacking = append(lacking, err)
		}
	}
	if len(lacking) == len(d.Parts) {
		return nil, lacking[0]
	}
	for i, p := range d.Parts {
		if stores[i] == nil {
			level.Warn(p.Logger).Log("msg", "left out: "+sd.ErrNoPolicy.Error())
		}
	}
	return stores, nil
}

// storeOf returns the policy of a registry, or the error of a wrong command if that has none.
func storeOf(r registry.Registry) (sd.PolicyStore, error) {
	store, err := sd.PolicyOf(r.Backend)
	if err != nil {
		want := withPolicy
		if r.Target.Keys["layout"] != "" {
			want = "it without layout"
		}
		err = fmt.Errorf("%q: %w; want %s", r.URL, sd.ErrNoPolicy, want)
		return nil, shell.UsageError("sd", err)
	}
	return store, nil
}

// add adds the desk of a registry, unless it has no policy or does not answer.
func (ds *desks) add(p *discovery.Part, store sd.PolicyStore, c *config) {
	state := p.State()
	switch {
	case store == nil:
	case state.Phase != sd.Live && !errors.Is(state.Err, sd.ErrNoDirectory):
		ds.failed = append(ds.failed, fmt.Errorf("%s: %s", p.URL, statelog.Why(state)))
	default:
		if errors.Is(state.Err, sd.ErrNoDirectory) { // it is made for the policy, and may be a slip
			level.Warn(p.Logger).Log("msg", statelog.Why(state))
		}
		ds.all = append(ds.all, &desk{steer.Desk{Store: store, Fleet: p.Entries, Timeout: c.timeout,
			DryRun: c.steer.dryRun, Force: c.steer.force}, p, ds.stdio})
	}
}

func (ds *desks) Close() { ds.discovery.Close() }

// warn logs a warning about the registry.
func (d *desk) warn(message string) { level.Warn(d.Logger).Log("msg", message) }

// do carries an edit out in every registry, side by side, and prints what it has done in each. Then
// is called for those where it went well. The error names those where it did not.
func (ds *desks) do(
	ctx context.Context, edit steer.Edit, then func(*desk, steer.Outcome) error,
) error {
	outcomes, errs := make([]steer.Outcome, len(ds.all)), make([]error, len(ds.all))
	var running sync.WaitGroup
	for i, d := range ds.all {
		running.Go(func() { outcomes[i], errs[i] = d.Do(ctx, edit) })
	}
	running.Wait()
	for i, d := range ds.all {
		text := d.told(outcomes[i], errs[i])
		if len(ds.discovery.Parts) > 1 && text != "" {
			text = "registry   " + d.Label + "\n" + text
		}
		ds.stdio.Put(text)
		if outcomes[i].Written && ds.stdio.Lost() { // what ends with an error is done all the same
			d.warn("the policy is written, though stdout is not")
		}
		for n, r := range outcomes[i].Dropped {
			if n == maxDropped {
				d.warn("and " + shell.Count(len(outcomes[i].Dropped)-n, "more line"))
				break
			}
			d.warn(fmt.Sprintf("left out, since it expired a day ago or longer: %v", r))
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", d.URL, errs[i])
		} else {
			errs[i] = then(d, outcomes[i])
		}
	}
	return shell.InOneLine(append(ds.failed, errs...)...)
}

// told is what an edit has done, ready to print.
func (d *desk) told(outcome steer.Outcome, err error) string {
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
	return text
}

// warnUnmatched warns of a SEL that matches nobody.
func (d *desk) warnUnmatched(o steer.Outcome, s policy.Selector) {
	compiled := o.After.Compile(time.Now())
	if !slices.ContainsFunc(o.Fleet, func(e policy.Entry) bool { return compiled.Matches(s, e) }) {
		d.warn(fmt.Sprintf("%v matches nobody who is registered now%s%s", s,
			bracketed(s.String()), steer.Hint(o.Uncounted)))
	}
}

// bracketed asks whether an IPv6 address that ends like a port, of four digits, was meant as one with
// a port.
func bracketed(selector string) string {
	port := max(strings.LastIndexByte(selector, ':'), 0)
	meant, err := netip.ParseAddrPort("[" + selector[:port] + "]" + selector[port:])
	if err != nil || meant.Port() < 1000 {
		return ""
	}
	return fmt.Sprintf("; is %v meant?", meant)
}
