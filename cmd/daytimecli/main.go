// Command daytimecli asks the registered daytime servers for the time, like ping, and shows who is registered.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/daytime/sd/lb"
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program without its process. The end of ctx is the first signal.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	return execute(ctx, newCommand(stdout, stderr), args, lookup, stdout, stderr)
}

// A config is what the flags say.
type config struct {
	sd      string
	timeout time.Duration
	logging logging

	// For get alone.
	count    int
	interval time.Duration
	request  string
	output   string
	balance  string
	hashKey  string
	retries  int
	hedge    bool
}

func defaults() *config {
	return &config{
		sd:       "zk://127.0.0.1:2181/go_servers",
		timeout:  2 * time.Second,
		logging:  logging{"logfmt", "warn"},
		count:    100,
		interval: time.Second,
		request:  "timestamp",
		output:   "text",
		balance:  lb.PickerNames()[0],
		retries:  -1,
	}
}

// newCommand returns the tree of commands.
func newCommand(stdout, stderr io.Writer) *cobra.Command {
	c := defaults()
	root := &cobra.Command{
		Use:   "daytimecli",
		Short: "Ask the registered daytime servers for the time",
		Long: `Ask the registered daytime servers for the time, like ping, or show who is
registered.

Replies are on stdout, a line for each request. The log, and the summary at the
end or on Ctrl-C, are on stderr. The exit code is 0 when every request was
answered, 1 when some were not, and 2 for a wrong command.

Each flag can also be set in the environment: --log-level as DAYTIME_LOG_LEVEL.
A flag wins over its variable.`,
		Example: `  daytimecli -n 5
  daytimecli -n 0 -i 50ms --balance ewma -o json
  daytimecli --sd fixed://192.0.2.1:8897 -n 1
  daytimecli list`,
		Args: knownCommand,
	}
	c.addFlags(root.PersistentFlags())
	c.makeGet(root, stdout, stderr)
	root.AddCommand(newGet(c, stdout, stderr), newList(c, stdout, stderr), newWatch(c, stdout, stderr))
	return root
}

func newGet(c *config, stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Ask for the time; the default",
		Args:  flagsOnly,
	}
	c.makeGet(cmd, stdout, stderr)
	return cmd
}

// makeGet gives cmd, which is get or the root, the flags and the work of get.
func (c *config) makeGet(cmd *cobra.Command, stdout, stderr io.Writer) {
	c.addGetFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.balance == "hash" && c.hashKey == "" {
			return usageError{"balance", errors.New(`"hash": want a --hash-key, too`)}
		}
		return get(cmd.Context(), c, stdout, stderr)
	}
}

func newList(c *config, stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the registered servers",
		Long: `Print the registered servers, sorted, one on a line. It waits up to --timeout for
the registry, and ends with 1 if there is no answer.`,
		Args: flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return list(cmd.Context(), c, stdout, stderr) },
	}
}

func newWatch(c *config, stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Print who joins and leaves, as it happens",
		Long: `Print who joins and leaves, as it happens, until Ctrl-C: a line with the time,
join or leave, and the address. Who is registered at the start joins first.`,
		Args: flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return watch(cmd.Context(), c, stdout, stderr) },
	}
}

func knownCommand(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{err: fmt.Errorf("command %q: want get, list or watch", args[0])}
	}
	return nil
}

func flagsOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{err: fmt.Errorf("argument %q: %s takes flags only", args[0], cmd.Name())}
	}
	return nil
}

// addFlags adds the flags of all commands.
func (c *config) addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&c.sd, "sd", c.sd, "`URL` of the registry; fixed://ip:port,... is a list without one")
	flags.Var(duration(&c.timeout, time.Millisecond), "timeout", "bound of a whole request, of which an attempt gets a third, or of list's wait")
	c.logging.addFlags(flags)
}

// addGetFlags adds those of get.
func (c *config) addGetFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.VarP(integer(&c.count, 0), "count", "n", "requests to make; 0 goes on until Ctrl-C")
	flags.VarP(duration(&c.interval, 0), "interval", "i", "time between the starts of two requests; 0 makes one after the other")
	flags.VarP(oneOf(&c.output, "text", "json"), "output", "o", "form of the replies: text, as they came, or json, an object for each request")
	flags.StringVar(&c.request, "request", c.request, "`text` to send; may be empty")
	flags.Var(oneOf(&c.balance, lb.PickerNames()...), "balance", "how a server is picked: "+strings.Join(lb.PickerNames(), ", "))
	flags.StringVar(&c.hashKey, "hash-key", c.hashKey, "`key` for hash: the same key asks the same server")
	flags.Var(integer(&c.retries, -1), "retries", "bound of further attempts when one fails; -1 is as many as time allows")
	addSwitch(flags, &c.hedge, "hedge", "ask a second server, too, when the first is slower than usual")
}
