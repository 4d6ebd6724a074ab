package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/doctor"
	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
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

// examine examines the registries, side by side, and prints what was found.
func (c *config) examine(ctx context.Context, stdio *shell.Stdio) error {
	options, err := c.clientOptions()
	if err != nil {
		return err
	}
	registries, err := registry.Open(c.sd, schemes(nil))
	if err != nil {
		return err
	}
	defer registries.Close()
	reports := make([]report.Report, len(registries))
	var examining sync.WaitGroup
	for i, r := range registries {
		examining.Go(func() {
			reports[i] = doctor.Examine(ctx, doctor.Config{Target: r.Target, Backend: r.Backend,
				Timeout: c.timeout, Client: options})
		})
	}
	examining.Wait()
	if ctx.Err() != nil {
		return shell.ErrInterrupted
	}
	return c.printReports(stdio, reports)
}

// printReports prints what was found, and fails if that is wrong.
func (c *config) printReports(stdio *shell.Stdio, reports []report.Report) (err error) {
	failed := 0
	for _, r := range reports {
		r.Strict = c.doctor.strict
		text := r.Text(stdio.OutWidth(), c.doctor.verbose)
		if c.doctor.output == "json" {
			if text, err = c.findings(r); err != nil {
				return err
			}
		}
		stdio.Put(text)
		if r.Failed() {
			failed++
		}
	}
	if n := len(reports); n > 1 && c.doctor.output == "text" {
		verdict := fmt.Sprintf("healthy: all of %d registries", n)
		if failed > 0 {
			verdict = fmt.Sprintf("not healthy: %d of %d registries", failed, n)
		}
		stdio.Put("\n" + verdict + "\n")
	}
	if failed > 0 {
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
