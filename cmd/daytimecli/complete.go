package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/shell"
)

// completeTimeout is how long a person who has typed a tab waits for the registry.
const completeTimeout = time.Second

func newCompletion(stdio *shell.Stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that completes commands in a shell",
		Long: `Print a script that completes commands, flags and their values, live addresses
among them, in a shell. To load it, now or in the shell's start-up file:

  bash (with its package bash-completion):  source <(daytimecli completion bash)
  zsh (after compinit):                     source <(daytimecli completion zsh)
  fish:                                     daytimecli completion fish | source`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args: func(_ *cobra.Command, args []string) error {
			return shell.WantArg(args, "shell", "bash", "zsh", "fish")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(stdio.Out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(stdio.Out)
			default:
				return cmd.Root().GenFishCompletion(stdio.Out, true)
			}
		},
	}
}

// completeTarget completes --sd: fixed:// with the addresses that are in the registry without it.
func (c *config) completeTarget(cmd *cobra.Command, _ []string, text string) (
	[]string, cobra.ShellCompDirective) {
	list, found := strings.CutPrefix(text, "fixed://")
	if !found {
		return []string{"dns://", "etcd://", "file://", "fixed://", "zk://"},
			cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	// The addresses that are typed stay.
	before := text[:len(text)-len(list)+strings.LastIndexByte(list, ',')+1]
	var targets []string
	for _, instance := range c.liveInstances(cmd.Context()) {
		targets = append(targets, before+instance)
	}
	return targets, cobra.ShellCompDirectiveNoFileComp
}

// liveInstances returns who is registered, as far as the registries say so in time.
func (c *config) liveInstances(ctx context.Context) []string {
	instances, _ := c.live(ctx)
	return instances
}

// live returns who is registered, and the zones and tags that select some of them.
func (c *config) live(ctx context.Context) (instances, shared []string) {
	// cobra reads the flags more than once.
	urls := slices.Compact(slices.Sorted(slices.Values(c.sd)))
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	return discovery.Live(ctx, urls, schemes(nil))
}

// completeInstance completes an ip:port with who is registered.
func (c *config) completeInstance(cmd *cobra.Command, args []string, _ string) (
	[]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.liveInstances(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

// completeSelector completes SEL with the addresses, zones and tags of who is registered.
func (c *config) completeSelector(cmd *cobra.Command, args []string, text string) (
	[]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	instances, shared := c.live(cmd.Context())
	others := func(s string) bool { return !strings.HasPrefix(s, text) }
	return slices.DeleteFunc(append(instances, shared...),
		others), cobra.ShellCompDirectiveNoFileComp
}

// completeZone completes --zone with the zones of who is registered.
func (c *config) completeZone(cmd *cobra.Command, _ []string, _ string) (
	[]string, cobra.ShellCompDirective) {
	_, shared := c.live(cmd.Context())
	var zones []string
	for _, s := range shared {
		if zone, found := strings.CutPrefix(s, "zone="); found {
			zones = append(zones, zone)
		}
	}
	return zones, cobra.ShellCompDirectiveNoFileComp
}
