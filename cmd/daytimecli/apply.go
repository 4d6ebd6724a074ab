package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd/policy"
)

// applyFile replaces the policy by a file.
func (c *config) applyFile(cmd *cobra.Command, name string, stdio *shell.Stdio) error {
	text, err := steer.ReadFile(cmd.Context(), cmd.InOrStdin(), name)
	if err != nil {
		return err
	}
	next, err := steer.ParseNext(name, text, c.steer.force)
	if err != nil {
		return shell.FileError(err)
	}
	if next.IsCopy() {
		if err := c.wantOneRegistry("a FILE with a line #version is a copy of one " +
			"policy"); err != nil {
			return err
		}
	}
	return c.apply(cmd.Context(), next, stdio)
}

// wantOneRegistry is the error of a command that is about one policy.
func (c *config) wantOneRegistry(why string) error {
	if len(c.sd) == 1 {
		return nil
	}
	return shell.UsageError("sd",
		fmt.Errorf("%q: %s; want one --sd, such as --sd %s", c.sd.String(), why, c.sd[0]))
}

// apply replaces the policy.
func (c *config) apply(ctx context.Context, n steer.Next, stdio *shell.Stdio) error {
	ds, err := c.openDesks(ctx, stdio)
	if err != nil {
		return err
	}
	defer ds.Close()
	return ds.do(ctx, n.Edit, func(*desk, steer.Outcome) error { return nil })
}

// checkFile says what is wrong with a file.
func (c *config) checkFile(cmd *cobra.Command, name string, stdio *shell.Stdio) error {
	text, err := steer.ReadFile(cmd.Context(), cmd.InOrStdin(), name)
	if err != nil {
		return err
	}
	document, err := policy.ParseCopy(text)
	if err == nil {
		_, _, _, err = document.CutVersion()
	}
	if err == nil && document.IsEmpty() {
		err = steer.ErrEmpty
	}
	if err != nil {
		return shell.FileError(fmt.Errorf("%s: %w", name, trimmed(err, "policy: ")))
	}
	var fault error
	if wrong := document.Problems(time.Now()); len(wrong) > 0 {
		stdio.Put(steer.Problems(name, wrong))
		fault = shell.FileError(fmt.Errorf("%s: %s wrong", name, shell.Count(len(wrong), "line")))
	}
	ds, err := c.openDesks(cmd.Context(), stdio)
	if err != nil {
		return shell.InOneLine(fault, err)
	}
	defer ds.Close()
	for _, d := range ds.all {
		for _, p := range document.Check(d.Fleet(), time.Now()) {
			if p.Kind == policy.Wrong { // which is told already
				continue
			}
			message := fmt.Sprintf("%s: %v", name, trimmed(p, "policy: "))
			if p.Kind == policy.Unmatched {
				message += steer.Hint(steer.Withdrawals(d.Policy().Document, time.Now()))
			}
			d.warn(message)
		}
	}
	if fault == nil {
		rules := shell.Count(len(document.Rules()), "rule")
		stdio.Put(fmt.Sprintf("%s: %s, none wrong\n", name, rules))
	}
	return shell.InOneLine(append([]error{fault}, ds.failed...)...)
}

// editPolicy has the operator edit the policy, and applies it.
func (c *config) editPolicy(ctx context.Context, stdio *shell.Stdio) error {
	text, version, err := c.readPolicy(ctx)
	if err != nil {
		return err
	}
	document, err := policy.Parse(text)
	switch {
	case err == nil:
		text = document.WithVersion(version).String()
	case !c.steer.force:
		return fmt.Errorf("%s: %w; with --force it can be edited", c.sd, err)
	}
	dir, err := os.MkdirTemp("", "daytimecli-")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "policy")
	edited, err := steer.EditText(ctx, name, text)
	if err == nil && edited != text {
		var n steer.Next
		if n, err = steer.ParseNext(name, edited, c.steer.force); err == nil {
			n.MayEnd = true // who edits sees what goes
			err = c.apply(ctx, n, stdio)
		} else {
			err = shell.FileError(err)
		}
	} else if err == nil {
		stdio.Put("nothing to change\n")
	}
	if left, unread := os.ReadFile(name); err != nil && unread == nil && string(left) != text {
		level.Warn(c.newLogger(stdio)).Log("msg", "what was edited is kept in "+name)
		return err
	}
	return cmp.Or(err, os.RemoveAll(dir))
}
