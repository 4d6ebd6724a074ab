package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/doctor"
	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

// A doctorConfig has the values of the flags of doctor.
type doctorConfig struct {
	output  string
	strict  bool
	verbose bool
}

func newDoctor(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with the registry and its servers",
		Long: `Say what is wrong with the registry and its servers, and what to do about it. It
only reads. It looks at each member of the registry, at the directory with its
rights and its policy, and at each server: its entry, whether it is reached from
here, whether it tells the time, and how wrong its clock is. --timeout bounds
each question.

A finding is an error, which ends it with 1, or a warning, a risk that may be
meant, such as rights for everybody, or a single ZooKeeper: only with --strict
it then ends with 1. What could not be checked is told as well.`,
		Example: `  daytimecli doctor
  daytimecli doctor --strict -o json`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.examine(cmd.Context(), stdio) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.VarP(shell.OneOf(&c.doctor.output, "text", "json"), "output", "o",
		"form of the findings: text, or json, an object a line")
	shell.AddSwitch(flags, &c.doctor.strict, "strict", "", "end with 1 for a warning, too")
	shell.AddSwitch(flags, &c.doctor.verbose, "verbose", "v",
		"all of many findings alike; in json also what is well, and what was not checked")
	return cmd
}

// examine examines the registry and prints what was found.
func (c *config) examine(ctx context.Context, stdio *shell.Stdio) error {
	options, err := c.clientOptions()
	if err != nil {
		return err
	}
	backend, err := schemes(nil).Open(c.sd)
	if err != nil {
		return shell.UsageError("sd", err)
	}
	defer backend.Close()
	target, err := sd.ParseTarget(c.sd)
	if err != nil {
		return shell.UsageError("sd", err)
	}
	ctx, stop := stdio.WithReader(ctx)
	defer stop()
	report := doctor.Examine(ctx, doctor.Config{Target: target, Backend: backend,
		Timeout: c.timeout, Client: options})
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	text := report.Text(stdio.OutWidth(), c.doctor.verbose)
	if c.doctor.output == "json" {
		if text, err = c.findings(report); err != nil {
			return err
		}
	}
	if err := put(stdio.Out, text); err != nil {
		return quiet(err)
	}
	if report.Failed(c.doctor.strict) {
		return shell.ErrReported
	}
	return nil
}

// findings is a line of JSON for each finding.
func (c *config) findings(r report.Report) (string, error) {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Severity != report.Error && f.Severity != report.Warning && !c.doctor.verbose {
			continue
		}
		line, err := shell.JSONLine(f)
		if err != nil {
			return "", fmt.Errorf("finding of %s: %w", f.Check, err)
		}
		b.WriteString(line)
	}
	return b.String(), nil
}
