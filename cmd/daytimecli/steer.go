package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd/policy"
)

// A steerConfig has the values of the flags of the commands that write the policy.
type steerConfig struct {
	until, by, reason string
	dryRun, force     bool
}

// forced explains --force of a command that may take servers away.
const forced = "also if fewer than half of the weight are left, and over what is no policy"

// addSteerFlags adds those of every command that writes. Force explains --force.
func (c *config) addSteerFlags(flags *pflag.FlagSet, force string) {
	flags.SortFlags = false
	shell.AddSwitch(flags, &c.steer.dryRun, "dry-run", "",
		"print who is affected and what share of the traffic that is, and write nothing")
	shell.AddSwitch(flags, &c.steer.force, "force", "", force)
}

// addRuleFlags adds those of a command that writes a line.
func (c *config) addRuleFlags(flags *pflag.FlagSet) {
	c.addSteerFlags(flags, forced)
	flags.StringVar(&c.steer.until, "until", c.steer.until,
		"`time` in RFC 3339 or duration from now, such as 2h, after which the line is without "+
			"effect")
	flags.StringVar(&c.steer.reason, "reason", c.steer.reason, "`text` for who reads the line")
	flags.StringVar(&c.steer.by, "by", c.steer.by, "`name` of who writes it; yours if it is left "+
		"out")
}

// selectors explains SEL in the help of a command.
const selectors = `

SEL is an ip:port, an ip, a network such as 192.0.2.0/24, zone=NAME, a tag such
as version=2.1, or * for all.`

// joining explains a SEL of nobody in the help of a command that takes servers away.
const joining = ` One that matches nobody now is accepted with a
warning: it holds for who joins.`

// writing explains in the help of a command what all have in common that may take servers away.
const writing = `

It prints the difference to the policy and what that means for the servers. It
ends with 1 if the registry cannot be reached, if others write at the same time
for 10 s, or if fewer than half of the weight would be left, unless --force.
With several registries it writes to each, and ends with 1 if one fails.`

func newDrain(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := c.newRule(policy.Drain, stdio, "drain SEL")
	cmd.Short = "Have clients call servers no more"
	cmd.Long = `Have clients call servers no more, while one that is not drained answers. What
they have begun they finish. It holds, also for a server that restarts, until
undrain or --until. A drain line with the same SEL is replaced.` + selectors +
		joining + writing
	cmd.Example = `  daytimecli drain 192.0.2.10:8897 --until 2h --reason "rack 7"
  daytimecli drain zone=eu-1b --dry-run`
	return cmd
}

func newWithdraw(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := c.newRule(policy.Withdraw, stdio, "withdraw SEL")
	cmd.Short = "Have servers leave the registry, and serve on"
	cmd.Long = `Have servers leave the registry and go on serving, so that clients which know no
policy obey as well. It holds, also for a server that restarts, until undrain or
--until.` + selectors + joining + writing
	return cmd
}

func newWeight(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := c.newRule(policy.Weight, stdio, "weight SEL N")
	cmd.Short = "Give servers more calls or fewer"
	cmd.Long = fmt.Sprintf(`Give servers another weight, in the place of their own: 0 to %d, and %d for
who says none. At 0 one is not called while another of more weight can be. It
holds until --until, or until policy edit takes the line away, which no other
command does: with a weight of %[2]d the line would still stand in the place of
the weights that servers say of themselves.`,
		policy.MaxWeight, policy.DefaultWeight) + selectors + ` Where it matches nobody now, servers that join
later get the weight, and a warning says so.

It prints the difference to the policy and what that means for the servers. It
ends with 1 if the registry cannot be reached, if others write at the same time
for 10 s, or if the weights of all would come to less than half of what they
were, unless --force. With several registries it writes to each, and ends with 1
if one fails.`
	cmd.Example = `  daytimecli weight version=2.1 10`
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			if n := "-" + unknown.GetSpecifiedShortnames(); isNumber(n) {
				return weightError(n)
			}
		}
		return cmd.Parent().FlagErrorFunc()(cmd, err)
	})
	return cmd
}

// newRule returns a command that sets a line of verb.
func (c *config) newRule(verb policy.Verb, stdio *shell.Stdio, use string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               use,
		Args:              wantArgs(strings.Fields(use)[1:]...),
		ValidArgsFunction: c.completeSelector,
		RunE: func(cmd *cobra.Command, args []string) error {
			rule, err := c.rule(verb, args, time.Now())
			if err != nil {
				return err
			}
			return c.setRule(cmd.Context(), rule, stdio)
		},
	}
	c.addRuleFlags(cmd.Flags())
	return cmd
}

// wantArgs is a cobra.PositionalArgs for a command that takes arguments of these names.
func wantArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		given := fmt.Sprintf("%q", strings.Join(args, " "))
		if len(args) == 0 {
			given = "no " + names[0]
		}
		command := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		return shell.UsageError("", fmt.Errorf("%s: want %s %s", given, command,
			strings.Join(names, " ")))
	}
}

// rule is the line that a command says.
func (c *config) rule(verb policy.Verb, args []string, now time.Time) (r policy.Rule, err error) {
	r = policy.Rule{Verb: verb, By: c.steer.by, Reason: c.steer.reason}
	if r.Selector, err = selector(args[0]); err != nil {
		return r, err
	}
	if verb == policy.Weight {
		r.Weight, err = strconv.Atoi(args[1])
		if err != nil || policy.CheckWeight(r.Weight) != nil {
			return r, weightError(args[1])
		}
	}
	if c.steer.until != "" {
		if r.Until, err = policy.ParseUntil(c.steer.until, now); err != nil {
			return r, shell.UsageError("until", trimmed(err, "policy: until "))
		}
	}
	if r.By == "" {
		r.By = steer.Operator()
	}
	if _, err = (policy.Document{}).Set(r, now); err != nil {
		return r, shell.UsageError("", fmt.Errorf("%v: %w", r, trimmed(err, "policy: ")))
	}
	return r, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// weightError is the error of a text that is no weight.
func weightError(text string) error {
	return shell.UsageError("", fmt.Errorf("weight %.64q: want a whole number, 0 to %d", text,
		policy.MaxWeight))
}

// selector reads SEL.
func selector(text string) (policy.Selector, error) {
	s, err := policy.ParseSelector(text)
	if err != nil {
		return s, shell.UsageError("", trimmed(err, "policy: "))
	}
	return s, nil
}

// trimmed is err without a beginning that its reader knows.
func trimmed(err error, prefix string) error {
	return errors.New(strings.TrimPrefix(err.Error(), prefix))
}

// setRule sets a line of the policy.
func (c *config) setRule(ctx context.Context, rule policy.Rule, stdio *shell.Stdio) error {
	ds, err := c.openDesks(ctx, stdio)
	if err != nil {
		return err
	}
	defer ds.Close()
	set := func(before policy.Document, _ int64, now time.Time) (policy.Document, error) {
		return before.Set(rule, now)
	}
	return ds.do(ctx, set, func(d *desk, o steer.Outcome) error {
		d.warnUnmatched(o, rule.Selector)
		return nil
	})
}

func newUndrain(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undrain SEL",
		Short: "Undo drain and withdraw",
		Long: `Undo drain and withdraw: it removes the lines with exactly that SEL. If another
line still drains what SEL selects it says which, and ends with 1. Where no line
has that SEL a warning says so.` + selectors + `

It prints the difference to the policy and what that means for the servers. It
ends with 1 if the registry cannot be reached, or if others write at the same
time for 10 s. With several registries it writes to each, and ends with 1 if one
fails.`,
		Args:              wantArgs("SEL"),
		ValidArgsFunction: c.completeSelector,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := selector(args[0])
			if err != nil {
				return err
			}
			return c.undrain(cmd.Context(), s, stdio)
		},
	}
	c.addSteerFlags(cmd.Flags(), "also where shares give those that return the calls of more than "+
		"half of the weight, and over what is no policy")
	return cmd
}

// undrain removes the lines with a selector that drain.
func (c *config) undrain(ctx context.Context, s policy.Selector, stdio *shell.Stdio) error {
	ds, err := c.openDesks(ctx, stdio)
	if err != nil {
		return err
	}
	defer ds.Close()
	remove := func(before policy.Document, _ int64, _ time.Time) (policy.Document, error) {
		after, _ := before.Remove(s, policy.Drain, policy.Withdraw)
		return after, nil
	}
	return ds.do(ctx, remove, func(d *desk, o steer.Outcome) error { return d.stillDrained(o, s) })
}

// stillDrained is the error of an undrain that leaves lines which drain the same.
func (d *desk) stillDrained(o steer.Outcome, s policy.Selector) error {
	still := o.After.StillDrained(s, o.Fleet, time.Now())
	var lines []string
	for _, r := range still {
		lines = append(lines, fmt.Sprintf("line %d: %v", r.Line, r))
	}
	message := fmt.Sprintf("%v is still drained, by %s", s, strings.Join(lines, "; "))
	switch {
	case len(still) > 0 && !d.DryRun:
		return fmt.Errorf("%s: %s", d.URL, message)
	case len(still) > 0:
		d.warn(message)
	case !o.Changed():
		d.warn(fmt.Sprintf("no line drains %v", s))
	}
	return nil
}
