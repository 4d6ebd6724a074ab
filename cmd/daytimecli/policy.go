package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// newPolicy returns the commands about the policy as a whole.
func newPolicy(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy get|apply|edit|check",
		Short: "Print, replace, edit or check the policy as a whole",
		Args: func(_ *cobra.Command, args []string) error {
			return shell.WantArg(args, "command", "get", "apply", "edit", "check")
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // an argument is a command below
	}
	c.addSteerFlags(cmd.PersistentFlags(), forced)
	apply := &cobra.Command{
		Use:   "apply FILE",
		Short: "Replace the policy by a file",
		Long: `Replace the policy by FILE, or by what is on stdin for -. If FILE has a line
#version N, as policy get writes it, and the policy has another version by now,
nothing is written, since somebody else's lines would be lost; a directory
without a policy has none to lose. Without that line what is there is replaced.

A FILE with a line that is wrong is refused, as is one that ends the policy,
be it empty or without a rule, unless --force.` + writing,
		Example: `  daytimecli policy get >FILE
  daytimecli policy apply FILE`,
		Args: wantArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.applyFile(cmd, args[0], stdio)
		},
	}
	cmd.AddCommand(c.newPolicyGet(stdio), apply, c.newPolicyEdit(stdio), c.newPolicyCheck(stdio))
	return cmd
}

func (c *config) newPolicyGet(stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "get",
		Short: "Print the policy",
		Long: `Print the policy, with its version in a last line #version N for policy apply.
What is no policy is printed as it is, and ends with 1. It is about one
registry, as is edit.`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.getPolicy(cmd.Context(), stdio)
		},
	}
}

func (c *config) newPolicyEdit(stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "edit",
		Short: "Edit the policy with $EDITOR",
		Long: `Edit the policy with $EDITOR, or vi, and apply it if it has changed. If it cannot
be applied, for instance because somebody else wrote meanwhile, the edited file
is kept, and named.` + writing,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.editPolicy(cmd.Context(), stdio)
		},
	}
}

func (c *config) newPolicyCheck(stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a file",
		Long: `Say what is wrong with FILE, or with what is on stdin for -, by line and column.
It ends with 2 if a line is wrong. Lines that have expired and lines that match
nobody who is registered are told as well, and are not wrong.`,
		Args: wantArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.checkFile(cmd, args[0], stdio)
		},
	}
}

// getPolicy prints the policy of the directory.
func (c *config) getPolicy(ctx context.Context, stdio *shell.Stdio) error {
	text, version, err := c.readPolicy(ctx)
	if err != nil {
		return err
	}
	document, unreadable := policy.Parse(text)
	if unreadable == nil {
		text = document.WithVersion(version).String()
	}
	if stdio.OutWidth() > 0 { // a terminal, which would act on what a stranger wrote
		text = steer.Printable(text)
	}
	stdio.Put(text)
	if unreadable != nil {
		return fmt.Errorf("%s: %w", c.sd, unreadable)
	}
	return nil
}

// readPolicy reads what stands in the place of the policy, of one registry.
func (c *config) readPolicy(ctx context.Context) (text string, version int64, err error) {
	if err := c.wantOneRegistry("each registry has a policy of its own"); err != nil {
		return "", 0, err
	}
	registries, err := registry.Open(c.sd, schemes(nil))
	if err != nil {
		return "", 0, err
	}
	defer registries.Close()
	store, err := storeOf(registries[0])
	if err != nil {
		return "", 0, err
	}
	reading, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	text, version, err = store.ReadPolicy(reading)
	if err != nil && ctx.Err() != nil {
		return "", 0, shell.ErrInterrupted
	}
	if d, ok := store.(sd.Diagnoser); ok && err != nil {
		err = cmp.Or(d.Err(), err)
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", c.sd, err)
	}
	return text, version, nil
}
