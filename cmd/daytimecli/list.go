package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/listing"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/sd"
)

// list prints the servers once. A list that the registry did not confirm is printed, too, but is no
// success; nor is one in which nobody can be dialled, or that is shorter than --min.
func list(ctx context.Context, c *config, stdio *shell.Stdio) error {
	options, err := c.clientOptions()
	if err != nil {
		return err
	}
	registry, err := c.open(stdio, true, true) // the error tells the state
	if err != nil {
		return err
	}
	defer registry.Close()
	if err := registry.Settle(ctx, c.timeout); err != nil {
		return c.withoutList(stdio, err)
	}
	unconfirmed := registry.Unconfirmed() // before the list is read: what comes later is no harm
	rows := registry.Rows()
	if len(rows) == 0 && registry.Rejected() > 0 {
		return c.withoutList(stdio,
			fmt.Errorf("%s: nobody is registered: %s", c.sd, registry.LeftOut()))
	}
	if c.list.check {
		listing.Check(ctx, rows, options)
		if ctx.Err() != nil { // which says nothing about the servers
			return c.withoutList(stdio, shell.ErrInterrupted)
		}
	}
	text, err := listing.Text(rows, c.list.output, stdio.OutWidth())
	if err != nil {
		return err
	}
	stdio.Put(text)
	c.warnOfList(stdio, registry, rows)
	if unconfirmed != nil {
		return unconfirmed
	}
	c.warnOfPolicy(stdio, registry)
	return c.judge(rows)
}

// warnOfPolicy tells of a policy that is not obeyed as it stands, as the state of a list has it that
// is confirmed.
func (c *config) warnOfPolicy(stdio *shell.Stdio, registry *discovery.Discovery) {
	if err := registry.State().Err; err != nil && !statelog.IsTold(err) {
		level.Warn(c.newLogger(stdio)).Log("msg", err)
	}
}

// warnOfList tells of a list that nobody is on, or that names were left out of; and what an object
// does not say, since it has the keys that it has: who is not to be called by a share of 0 %.
func (c *config) warnOfList(
	stdio *shell.Stdio, registry *discovery.Discovery, rows []listing.Row,
) {
	logger, spared := c.newLogger(stdio), 0
	for _, r := range rows {
		if r.Spared {
			spared++
		}
	}
	if spared > 0 && c.list.output == "json" {
		level.Warn(logger).Log("msg", shell.Count(spared, "server")+
			" of a share of 0%: called while no others can be")
	}
	switch {
	case len(rows) == 0:
		level.Warn(logger).Log("msg", statelog.Nobody)
	case registry.Rejected() > 0:
		level.Warn(logger).Log("msg", registry.LeftOut())
	}
}

// withoutList returns why there is no list. In JSON it is an object on stdout, too: a program that
// finds nothing there would take nobody for registered.
func (c *config) withoutList(stdio *shell.Stdio, why error) error {
	if c.list.output != "json" {
		return why
	}
	line, err := shell.JSONLine(struct {
		Error string `json:"error"`
	}{why.Error()})
	stdio.Put(line)
	return cmp.Or(err, why)
}

// judge is the error of a list that has not what --min and --check want.
func (c *config) judge(rows []listing.Row) error {
	unreachable := 0
	var first error
	for _, r := range rows {
		if r.Check != nil && r.Check.Err != nil {
			unreachable++
			first = cmp.Or(first, r.Check.Err)
		}
	}
	switch {
	case len(rows) < c.list.min:
		return fmt.Errorf("%s: %d registered, want %d at least", c.sd, len(rows), c.list.min)
	case unreachable > 0:
		return fmt.Errorf("%s: no answer from %d of %s, such as %w", c.sd, unreachable,
			shell.Count(len(rows), "server"), first)
	}
	return nil
}

// watch prints changes until ctx is done.
func watch(ctx context.Context, c *config, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, c.hasSnapshot(), false)
	if err != nil {
		return err
	}
	defer registry.Close()
	ctx, cancel := stdio.WithReader(ctx)
	defer cancel()
	registry.Begin(ctx)
	notice := statelog.NewNotice(registry, registry, registry.Logger)
	defer notice.Stop()
	output := c.changes
	stop := registry.Follow(func(c sd.Change) {
		stdio.Put(listing.Changes(output, time.Now(), c))
	})
	defer stop()
	late := time.NewTimer(c.timeout)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-late.C:
			if !registry.TellsSilent() {
				notice.Look(registry.State())
			}
		}
	}
}
