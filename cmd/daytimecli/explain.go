package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

func newExplain(c *config, stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ip:port",
		Short: "Print what the policy makes of a server, and why",
		Long: `Print what a server says of itself, the lines of the policy that match it, which
of them decide, and what they come to. Of one that is not registered, for
instance because the policy withdraws it, weight, zone and tags are not known:
lines by address decide all the same, and what depends on another is printed as
unknown, with that line. A warning says that it is not registered, and the exit
code is 0. With several registries each is explained, and what it comes to for a
client of all.`,
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

// explain prints how the policy treats an instance, for each of several registries.
func (c *config) explain(ctx context.Context, instance string, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, true, true)
	if err != nil {
		return err
	}
	defer registry.Close()
	if err := registry.Settle(ctx, c.timeout); err != nil {
		return err
	}
	unconfirmed := registry.Unconfirmed()
	var b strings.Builder
	for _, p := range registry.Parts {
		if p.State().Phase == sd.Unknown { // which unconfirmed says
			continue
		}
		if len(registry.Parts) > 1 {
			fmt.Fprintf(&b, "registry   %s\n", p.Label)
		}
		b.WriteString(p.Explain(instance).String())
	}
	if all := registry.Rows(); len(registry.Parts) > 1 {
		for _, r := range all {
			if r.Instance == instance {
				fmt.Fprintf(&b, "together   %s\n", r.Together())
			}
		}
	}
	stdio.Put(b.String())
	if unconfirmed == nil {
		c.warnOfPolicy(stdio, registry)
	}
	return unconfirmed
}
