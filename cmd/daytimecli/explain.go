package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

func newExplain(c *config, stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ip:port",
		Short: "Print what the policy makes of a server, and why",
		Long: `Print what a server says of itself, the lines of the policy that match it, which
of them decide, and what they come to. One that is not registered, for instance
because the policy withdraws it, is taken for one that says nothing.`,
		Args:              wantArgs("ip:port"),
		ValidArgsFunction: c.completeInstance,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := sd.CheckInstance(args[0]); err != nil {
				return shell.UsageError("", trimmed(err, "sd: "))
			}
			return c.explain(cmd.Context(), args[0], stdio)
		},
	}
}

// explain prints how the policy treats an instance.
func (c *config) explain(ctx context.Context, instance string, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, true, true)
	if err != nil {
		return err
	}
	defer registry.Close()
	state := registry.settle(ctx, c.timeout)
	if state.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", c.sd, statelog.Why(state))
	}
	entries, p := registry.Entries(), registry.Policy()
	entry := policy.Entry{Instance: instance}
	n := slices.IndexFunc(entries, func(e policy.Entry) bool { return e.Instance == instance })
	if n >= 0 {
		entry = entries[n]
	} else {
		level.Warn(registry.logger).Log("msg", instance+" is not registered")
	}
	if p.Err != nil {
		level.Warn(registry.logger).Log("msg", "this is the last policy that could be read", "err", p.Err)
	}
	if err := put(stdio.Out, p.Document.Explain(entry, time.Now()).String()); err != nil {
		return quiet(err)
	}
	if state.Phase == sd.Stale {
		return fmt.Errorf("%s: no answer; %s: %w", c.sd, registry.age(state), state.Err)
	}
	return nil
}
