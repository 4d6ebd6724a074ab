package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/export"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
)

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
file_sd_configs, with zone and tags as labels __meta_daytime_... (the first of
tags that come to one label), haproxy has the server lines of a backend, with
weights where they differ, 0 for a drained one. Drains of all and weights of 0
everywhere are ignored, as by clients; a share line is not expressed.

With --watch the file is written anew after each change, at most once a second,
until Ctrl-C. It is replaced as a whole, and only if its text changes; the
command of --then, such as a reload, runs after that, for 30 s at most. One that
fails is run again, at the latest by the next export: until then there is a
.NAME.due beside the file. While the registry is down, or has fewer servers than
--min, and until its policy could be read, the file stays as it is; of several
registries each must have answered once, and the list of a --snapshot does not
count.`,
		Example: `  daytimecli export prometheus --watch -f /etc/prometheus/daytime.json
  daytimecli export haproxy --backend daytime -f /etc/haproxy/daytime.cfg \
    --watch --then 'systemctl reload haproxy'`,
		ValidArgs: formats,
		Args: func(_ *cobra.Command, args []string) error {
			return shell.WantArg(args,
				"format", formats...)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := c.export.format(args[0])
			if err != nil {
				return err
			}
			return c.exportList(cmd.Context(), format, args[0] == "haproxy", stdio)
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
	flags.StringVar(&e.then, "then", e.then, "`command` for sh that runs after the file has "+
		"changed")
	flags.Var(shell.Integer(&e.min, 0), "min", "leave the file as it is while fewer servers are "+
		"registered")
	flags.StringVar(&e.backend, "backend", e.backend, "`name` of haproxy's backend, for a file of "+
		"its own")
	flags.StringVar(&e.parameters, "parameters", e.parameters,
		"`text` behind each address of haproxy")
}

// format returns the form that is asked for, and refuses a file that cannot be one, and flags that
// do not go together.
func (e exportConfig) format(name string) (export.Format, error) {
	if e.file != "" {
		if err := export.CheckFile(e.file); err != nil {
			return nil, shell.UsageError("file", err)
		}
	}
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

// exportList writes the list once, or with --watch until ctx is done. With weighted the form has
// weights, which do not express a share.
func (c *config) exportList(
	ctx context.Context, format export.Format, weighted bool, stdio *shell.Stdio,
) error {
	now := *c
	now.snapshot = nil // who was registered once is not for others to call
	registry, err := now.open(stdio, !c.export.watch, false)
	if err != nil {
		return err
	}
	defer registry.Close()
	keeper := export.Keeper{
		File: export.File{Path: c.export.file,
			Then: c.export.then}, Format: format, Min: c.export.min,
		List: func() []export.Server { return servers(registry) }, Logger: c.newLogger(stdio),
	}
	if weighted {
		keeper.Loss = newShareNotice(registry).look
	}
	if c.export.watch {
		keeper.Watch(ctx, registry.FollowWhole)
		return nil
	}
	if err := registry.Settle(ctx, c.timeout); err != nil {
		return err
	}
	unconfirmed := registry.Unconfirmed()
	if err := registry.Lacking(); err != nil {
		return fmt.Errorf("%w; nothing is written", err)
	}
	if err := c.exportOnce(ctx, keeper, stdio); err != nil {
		return err
	}
	return unconfirmed
}

// exportOnce writes the list to its file, or to stdout.
func (c *config) exportOnce(ctx context.Context, keeper export.Keeper, stdio *shell.Stdio) error {
	if c.export.file != "" {
		err := keeper.Write(ctx)
		return c.named(err)
	}
	text, _, err := keeper.Text()
	if err != nil {
		return c.named(err)
	}
	stdio.Put(text)
	return nil
}

// named is an error about the list with the registry's name.
func (c *config) named(err error) error {
	if errors.Is(err, export.ErrTooFew) {
		return fmt.Errorf("%s: %w", c.sd, err)
	}
	return err
}

// servers are all servers, as they are exported.
func servers(d *discovery.Discovery) []export.Server {
	var servers []export.Server
	for _, row := range d.Rows() {
		servers = append(servers, export.Server{Instance: row.Instance,
			Weight: row.Effective.Weight,
			Zone:   row.Effective.Zone, Tags: row.Attributes.Tags, Drained: row.Effective.Drained})
	}
	return servers
}

// A shareNotice warns of the share lines of policies, once for each version of each. One goroutine
// uses it.
type shareNotice struct {
	parts []*discovery.Part
	told  map[*discovery.Part]int64 // versions
}

func newShareNotice(d *discovery.Discovery) *shareNotice {
	return &shareNotice{d.Parts, map[*discovery.Part]int64{}}
}

func (n *shareNotice) look() {
	for _, p := range n.parts {
		followed := p.Policy()
		now := time.Now()
		at := slices.IndexFunc(followed.Document.Rules(), func(r policy.Rule) bool {
			return r.Verb == policy.Share && !r.Expired(now)
		})
		if told, ok := n.told[p]; at < 0 || ok && told == followed.Version {
			continue
		}
		n.told[p] = followed.Version
		level.Warn(p.Logger).Log("msg", "a share line is not expressed: the weights are without it",
			"line", followed.Document.Rules()[at])
	}
}
