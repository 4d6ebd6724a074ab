package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

// stampLayout is RFC 3339 with milliseconds, of one width.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

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
	state := registry.settle(ctx, c.timeout)
	if state.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", c.sd, why(state))
	}
	rows := registry.rows()
	if len(rows) == 0 && registry.Rejected() > 0 {
		return fmt.Errorf("%s: nobody is registered: %s", c.sd, registry.leftOut())
	}
	if c.list.check {
		checkRows(ctx, rows, options)
	}
	if err := c.printRows(stdio, rows); err != nil {
		return quiet(err)
	}
	logger := c.newLogger(stdio)
	switch {
	case len(rows) == 0:
		level.Warn(logger).Log("msg", nobodyNow)
	case registry.Rejected() > 0:
		level.Warn(logger).Log("msg", registry.leftOut())
	}
	if state.Phase == sd.Stale {
		return fmt.Errorf("%s: no answer; %s: %w", c.sd, registry.age(state), state.Err)
	}
	return c.judge(rows)
}

// judge is the error of a list that has not what --min and --check want.
func (c *config) judge(rows []row) error {
	unreachable := 0
	for _, r := range rows {
		if r.check != nil && r.check.Err != nil {
			unreachable++
		}
	}
	switch {
	case len(rows) < c.list.min:
		return fmt.Errorf("%s: %d registered, want %d at least", c.sd, len(rows), c.list.min)
	case unreachable > 0:
		return fmt.Errorf("%s: no answer from %d of %s", c.sd, unreachable, count(len(rows), "server"))
	}
	return nil
}

// watch prints changes until ctx is done.
func watch(ctx context.Context, c *config, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, c.snapshot != "", false)
	if err != nil {
		return err
	}
	defer registry.Close()
	ctx, cancel := stdio.WithReader(ctx)
	defer cancel()
	registry.begin(ctx)
	notice := newEmptyNotice(registry)
	defer notice.stop()
	output := c.changes
	broken := make(chan error, 1) // holds the first error
	stop := registry.Follow(func(c sd.Change) {
		if err := put(stdio.Out, changes(output, time.Now(), c)); err != nil {
			select {
			case broken <- err:
			default:
			}
		}
	})
	defer stop()
	late := time.NewTimer(c.timeout)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return quiet(err)
		case <-late.C:
			notice.look(registry.State())
		}
	}
}

// changes is a line for each instance that left or joined: text, or an object in JSON. Those that left
// come first: an address that changes hands leaves before it joins.
func changes(output string, now time.Time, c sd.Change) string {
	var b strings.Builder
	stamp := now.UTC().Format(stampLayout)
	for _, instance := range slices.Sorted(slices.Values(c.Down)) {
		withdrew := slices.Contains(c.Withdrew, instance)
		b.WriteString(changeLine(output, stamp, "leave", instance, withdrew))
	}
	for _, instance := range slices.Sorted(slices.Values(c.Up)) {
		b.WriteString(changeLine(output, stamp, "join", instance, false))
	}
	return b.String()
}

func changeLine(output, stamp, event, instance string, withdrew bool) string {
	if output != "json" {
		return fmt.Sprintf("%s %s %s\n", stamp, event, instance)
	}
	line, _ := jsonLine(struct { // which can always be encoded
		Time     string `json:"time"`
		Event    string `json:"event"`
		Instance string `json:"instance"`
		Withdrew bool   `json:"withdrew"` // left on purpose, as far as is known
	}{stamp, event, instance, withdrew})
	return line
}
