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
// success; nor is one in which nobody can be dialled.
func list(ctx context.Context, c *config, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, true, true) // the error tells the state
	if err != nil {
		return err
	}
	defer registry.Close()
	state := registry.settle(ctx, c.timeout)
	if state.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", c.sd, registry.why(state))
	}
	instances, strangers := registry.Instances(), registry.strangers.list()
	switch {
	case len(instances) > 0:
		if err := put(stdio.Out, strings.Join(instances, "\n")+"\n"); err != nil {
			return quiet(err)
		}
	case len(strangers) > 0:
		return fmt.Errorf("%s: nobody is registered: %s", c.sd, leftOut(strangers))
	default:
		level.Warn(c.newLogger(stdio)).Log("msg", nobodyNow)
	}
	if len(strangers) > 0 {
		level.Warn(c.newLogger(stdio)).Log("msg", leftOut(strangers))
	}
	if state.Phase == sd.Stale {
		return fmt.Errorf("%s: no answer; %s: %w", c.sd, registry.age(state), state.Err)
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
	broken := make(chan error, 1) // holds the first error
	stop := registry.Follow(func(c sd.Change) {
		if err := put(stdio.Out, changes(time.Now(), c.Up, c.Down)); err != nil {
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
			notice.look()
		}
	}
}

// changes is a line for each change.
func changes(now time.Time, up, down []string) string {
	var b strings.Builder
	stamp := now.UTC().Format(stampLayout)
	for _, instance := range slices.Sorted(slices.Values(down)) {
		fmt.Fprintf(&b, "%s leave %s\n", stamp, instance)
	}
	for _, instance := range slices.Sorted(slices.Values(up)) {
		fmt.Fprintf(&b, "%s join %s\n", stamp, instance)
	}
	return b.String()
}
