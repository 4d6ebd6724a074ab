package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/export"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

const (
	exportPause = time.Second     // at least, between two writes
	exportRetry = 5 * time.Second // after a write that failed
)

// errTooFew is why a list is not written that --min does not allow.
var errTooFew = errors.New("too few, nothing is written")

// An exportConfig has the values of the flags of export.
type exportConfig struct {
	file       string
	then       string
	backend    string
	parameters string
	min        int
	watch      bool
}

func newExport(c *config, stdio *shell.Stdio) *cobra.Command {
	formats := []string{"prometheus", "haproxy"}
	cmd := &cobra.Command{
		Use:   "export prometheus|haproxy",
		Short: "Write the servers for Prometheus or HAProxy",
		Long: `Write the servers in the form of another program: prometheus is a document for
file_sd_configs, with zone and tags as labels __meta_daytime_..., haproxy has
the server lines of a backend, with weights where they differ, 0 for a drained
one.

With --watch the file is written anew after each change, at most once a second,
until Ctrl-C. It is replaced as a whole, and only if its text changes; the
command of --then, such as a reload, runs after that, for 30 s at most. While
the registry is down, or has fewer servers than --min, the file stays as it is.`,
		Example: `  daytimecli export prometheus --watch -f /etc/prometheus/daytime.json
  daytimecli export haproxy --backend daytime -f /etc/haproxy/daytime.cfg \
    --watch --then 'systemctl reload haproxy'`,
		ValidArgs: formats,
		Args:      func(_ *cobra.Command, args []string) error { return shell.WantArg(args, "format", formats...) },
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := c.export.format(args[0])
			if err != nil {
				return err
			}
			return c.exportList(cmd.Context(), format, stdio)
		},
	}
	c.addExportFlags(cmd.Flags())
	return cmd
}

// addExportFlags adds the flags of export.
func (c *config) addExportFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	e := &c.export
	flags.StringVarP(&e.file, "file", "f", e.file, "`FILE` to write; stdout if it is left out")
	shell.AddSwitch(flags, &e.watch, "watch", "", "go on until Ctrl-C, and write each change")
	flags.StringVar(&e.then, "then", e.then, "`command` for sh that runs after the file has changed")
	flags.Var(shell.Integer(&e.min, 0), "min", "leave the file as it is while fewer servers are registered")
	flags.StringVar(&e.backend, "backend", e.backend, "`name` of haproxy's backend, for a file of its own")
	flags.StringVar(&e.parameters, "parameters", e.parameters, "`text` behind each address of haproxy")
}

// format returns the form that is asked for, and refuses flags that do not go together.
func (e exportConfig) format(name string) (export.Format, error) {
	switch {
	case e.file == "" && e.watch:
		return nil, shell.UsageError("watch", errors.New("want a --file, too"))
	case e.file == "" && e.then != "":
		return nil, shell.UsageError("then", fmt.Errorf("%q: want a --file, too", e.then))
	case name == "prometheus" && e.backend != "":
		return nil, shell.UsageError("backend", fmt.Errorf("%q: is for haproxy", e.backend))
	case name == "prometheus":
		return export.Prometheus, nil
	}
	if err := export.CheckParameters(e.parameters); err != nil {
		return nil, shell.UsageError("parameters", err)
	}
	if e.backend != "" {
		if err := export.CheckName(e.backend); err != nil {
			return nil, shell.UsageError("backend", err)
		}
	}
	return export.HAProxy(e.backend, e.parameters), nil
}

// exportList writes the list once, or with --watch until ctx is done.
func (c *config) exportList(ctx context.Context, format export.Format, stdio *shell.Stdio) error {
	registry, err := c.open(stdio, !c.export.watch, false)
	if err != nil {
		return err
	}
	defer registry.Close()
	e := &exporter{registry, format, c, stdio}
	if c.export.watch {
		registry.begin(ctx)
		e.watch(ctx)
		return nil
	}
	state := registry.settle(ctx, c.timeout)
	if state.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", c.sd, why(state))
	}
	if err := e.write(ctx); err != nil {
		return err
	}
	if state.Phase == sd.Stale {
		return fmt.Errorf("%s: no answer; %s: %w", c.sd, registry.age(state), state.Err)
	}
	return nil
}

// An exporter writes the list of a registry.
type exporter struct {
	registry *registry
	format   export.Format
	config   *config
	stdio    *shell.Stdio
}

// write writes the list as it is now.
func (e *exporter) write(ctx context.Context) error {
	rows := e.registry.rows()
	if have, want := len(rows), e.config.export.min; have < want {
		return fmt.Errorf("%s: %d registered, want %d: %w", e.config.sd, have, want, errTooFew)
	}
	servers := make([]export.Server, len(rows))
	for i, r := range rows {
		servers[i] = export.Server{Instance: r.Instance, Weight: r.effective.Weight, Zone: r.effective.Zone,
			Tags: r.Attributes.Tags, Drained: r.effective.Drained}
	}
	text, err := e.format(servers)
	if err != nil {
		return err
	}
	if e.config.export.file == "" {
		return quiet(put(e.stdio.Out, text))
	}
	file := export.File{Path: e.config.export.file, Then: e.config.export.then}
	changed, err := file.Write(ctx, text)
	if changed {
		logger := level.Info(e.config.newLogger(e.stdio))
		logger.Log("msg", "written", "file", file.Path, "servers", len(rows))
	}
	return err
}

// watch writes the list whenever it has changed. A write that failed is tried again.
func (e *exporter) watch(ctx context.Context) {
	changed := make(chan struct{}, 1)
	stop := e.registry.Follow(func(sd.Change) {
		select {
		case changed <- struct{}{}:
		default: // the list is read when that one is taken
		}
	})
	defer stop()
	retry := time.NewTimer(exportRetry) // the first time, there is nothing to write yet, or nothing to do
	retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-retry.C:
		}
		retry.Stop()
		if err := e.write(ctx); err != nil && ctx.Err() == nil {
			level.Warn(e.config.newLogger(e.stdio)).Log("msg", "not exported", "err", err)
			if !errors.Is(err, errTooFew) {
				retry.Reset(exportRetry)
			}
		}
		waitUntil(ctx, time.Now().Add(exportPause))
	}
}
