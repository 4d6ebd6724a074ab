// Command daytimecli asks the registered daytime servers for the time, like ping, and shows who is registered.
//
// It wires the client side together: a registry, watched by an sd.Instancer; an lb.Pool, which turns instances into
// endpoints with a transport.Factory; and lb.Retry, which makes a request of as many attempts as it takes. Any program that
// finds its servers like that begins the way get does.
//
// The files, in the order in which to read them: main.go has the commands and their flags; registry.go opens the
// registry, with the list that --snapshot keeps for a start without it; get.go is the wiring and the requests; tally.go
// and output.go are the summary and the forms of a reply; list.go has list and watch; absence.go and statelog.go decide
// what an operator is told, and when it is over. What is not about the time is in cmd/internal/shell.
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

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/lb"
)

func main() {
	os.Exit(run(shell.UntilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program without its process. The end of ctx is the first signal.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	return shell.Execute(ctx, newCommand(stdout, stderr), args, lookup, stdout, stderr)
}

// A config is what the flags say.
type config struct {
	sd       string
	snapshot string
	timeout  time.Duration
	logging  shell.Logging

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
		logging:  shell.Logging{Format: "logfmt", Level: "warn"},
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

With --snapshot FILE the last list is kept in FILE. A start while the registry is
down then waits 1.5 s for it, says how old the list is, and goes on with that.

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
		Args:  shell.FlagsOnly,
	}
	c.makeGet(cmd, stdout, stderr)
	return cmd
}

// makeGet gives cmd, which is get or the root, the flags and the work of get.
func (c *config) makeGet(cmd *cobra.Command, stdout, stderr io.Writer) {
	c.addGetFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.balance == "hash" && c.hashKey == "" {
			return shell.UsageError("balance", errors.New(`"hash": want a --hash-key, too`))
		}
		if c.balance != "hash" && c.hashKey != "" {
			return shell.UsageError("hash-key", fmt.Errorf("%q: want --balance hash, too", c.hashKey))
		}
		return get(cmd.Context(), c, stdout, stderr)
	}
}

func newList(c *config, stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the registered servers",
		Long: `Print the registered servers, sorted, one on a line. It waits up to --timeout for
the registry, and ends with 1 if there is no answer. With --snapshot it then prints
the list of the file, says on stderr how old that is, and ends with 1 all the same:
only 0 means that these are the servers.`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return list(cmd.Context(), c, stdout, stderr) },
	}
}

func newWatch(c *config, stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Print who joins and leaves, as it happens",
		Long: `Print who joins and leaves, as it happens, until Ctrl-C: a line with the time,
join or leave, and the address. Who is registered at the start joins first. With
--snapshot, and a registry that is down, these are the servers of the file, which
the log says; what has changed meanwhile is printed when the registry is back.`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return watch(cmd.Context(), c, stdout, stderr) },
	}
}

func knownCommand(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return shell.UsageError("", fmt.Errorf("command %q: want get, list or watch", args[0]))
	}
	return nil
}

// addFlags adds the flags of all commands.
func (c *config) addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&c.sd, "sd", c.sd, "`URL` of the registry; fixed://ip:port,... is a list without one")
	flags.StringVar(&c.snapshot, "snapshot", c.snapshot, "`FILE` that keeps the list, for a start without the registry; one for each --sd")
	flags.Var(shell.Duration(&c.timeout, time.Millisecond), "timeout", "bound of a whole request, of which an attempt gets a third (half with one retry, all with none), or of list's wait")
	c.logging.AddFlags(flags)
}

// addGetFlags adds those of get.
func (c *config) addGetFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.VarP(shell.Integer(&c.count, 0), "count", "n", "requests to make; 0 goes on until Ctrl-C")
	flags.VarP(shell.Duration(&c.interval, 0), "interval", "i", "time between the starts of two requests; 0 makes one after the other")
	flags.VarP(shell.OneOf(&c.output, "text", "json"), "output", "o", "form of the replies: text, as they came (what is not printable escaped), or json, an object for each request")
	flags.StringVar(&c.request, "request", c.request, "`text` to send; may be empty")
	flags.Var(shell.OneOf(&c.balance, lb.PickerNames()...), "balance", "how a server is picked: "+strings.Join(lb.PickerNames(), ", "))
	flags.StringVar(&c.hashKey, "hash-key", c.hashKey, "`key` for hash: the same key asks the same server")
	flags.Var(shell.Integer(&c.retries, -1), "retries", "bound of further attempts when one fails; -1 is as many as time allows")
	shell.AddSwitch(flags, &c.hedge, "hedge", "ask a second server, too, when the first is slower than usual")
}
