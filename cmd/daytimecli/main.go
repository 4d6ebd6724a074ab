// Command daytimecli asks the registered daytime servers for the time, like ping, and shows who is
// registered.
//
// It wires the client side together: a registry, watched by an sd.Instancer; an lb.Pool, which
// turns instances into endpoints with a transport.Factory; and lb.Retry, which makes a request of
// as many attempts as it takes. Any program that finds its servers like that begins the way get
// does.
//
// The files, in the order in which to read them: main.go has the commands and flags.go their flags;
// registry.go opens the registry, with the list that --snapshot keeps for a start without it;
// get.go is the wiring and the requests; list.go has list and watch; steer.go has the commands that
// change lines of the policy, policy.go and apply.go those about the whole of it, desk.go what they
// have in common, and explain.go what it makes of a server; doctor.go has doctor, export.go export,
// and complete.go completion.
//
// The rest is in cmd/internal: discovery is the list of servers, of one registry or several, load
// makes requests at a pace and counts them, listing shows who is registered, probe asks one server,
// doctor examines all, steer edits a policy, export keeps a file up to date, statelog decides what
// an operator is told, and shell is what any program needs.
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

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
)

func main() {
	os.Exit(run(shell.UntilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// serverFlags are those of daytimesvc alone, for which the environment may be, too.
const serverFlags = "advertise anonymous dev drain format listen max-conns max-conns-per-ip tag " +
	"tls-client-ca weight"

// run is the program without its process. The end of ctx is the first signal.
func run(ctx context.Context, args []string, lookup shell.Lookup, stdout, stderr io.Writer) int {
	stdio := shell.NewStdio(ctx, stdout, stderr, "warn")
	stdio.OtherFlags = strings.Fields(serverFlags)
	return shell.Execute(ctx, newCommand(stdio), stdio, args, lookup)
}

// A config has the values of the flags.
type config struct {
	sd       registry.URLs
	snapshot files // of each of sd; none for none
	timeout  time.Duration
	tls      transport.TLSFiles
	tlsName  string              // of the service; empty is plain text
	exporter *telemetry.Exporter // nil for none

	list    listConfig
	changes string // form of watch's output
	export  exportConfig
	steer   steerConfig
	doctor  doctorConfig

	// For get alone.
	count       int
	interval    time.Duration
	duration    time.Duration // of the starts; 0 is unlimited
	concurrency int           // above 0 it is a load generator
	request     string
	output      string
	balance     string
	hashKey     string
	zone        string // of this client
	retries     int
	hedge       bool
	admin       string // where an operator is answered; empty is nowhere
	version     string // of this program
}

func defaults() *config {
	return &config{
		sd:       registry.URLs{"zk://127.0.0.1:2181/go_servers"},
		timeout:  2 * time.Second,
		list:     listConfig{output: "name"},
		changes:  "text",
		export:   exportConfig{min: 1, parameters: "check"},
		count:    100,
		interval: time.Second,
		request:  "timestamp",
		output:   "text",
		doctor:   doctorConfig{output: "text"},
		balance:  lb.PickerNames()[0],
		retries:  -1,
	}
}

// newCommand returns the tree of commands.
func newCommand(stdio *shell.Stdio) *cobra.Command {
	c := defaults()
	root := &cobra.Command{
		Use:   "daytimecli",
		Short: "Ask the registered daytime servers for the time, and steer them",
		Long: `Ask the registered daytime servers for the time, like ping, or show who is
registered.

Replies are on stdout, a line for each request. The log, and the summary at the
end or on Ctrl-C, are on stderr. A server's failures in the summary are
attempts, which another server may have made good. The exit code is 0 when every
request was answered, 1 when some were not, and 2 for a wrong command.

With --snapshot FILE the last list is kept in FILE. A start while the registry
is down then waits 1.5 s for it, says how old the list is, and goes on with
that.

With several --sd the servers of all are one list, each server once: a fleet
that moves from one registry to another is registered in both for a time.

Each flag can also be set in the environment: --log-level as DAYTIME_LOG_LEVEL.
A flag wins over its variable. DAYTIME_SD may hold several, with blanks between.`,
		Example: `  daytimecli -n 5
  daytimecli -n 0 -i 50ms --balance ewma -o json
  daytimecli --sd fixed://192.0.2.1:8897 -n 1
  daytimecli list
  daytimecli list --sd 'zk://zk1/services/time?layout=curator'`,
		Args: knownCommand,
	}
	c.addFlags(root.PersistentFlags(), stdio)
	c.makeGet(root, stdio)
	root.AddCommand(newGet(c, stdio), newList(c, stdio), newWatch(c, stdio),
		newDrain(c, stdio), newUndrain(c, stdio), newWeight(c, stdio), newWithdraw(c, stdio),
		newPolicy(c, stdio), newExplain(c, stdio), newDoctor(c, stdio), newExport(c,
			stdio), newCompletion(stdio))
	root.RegisterFlagCompletionFunc("sd", c.completeTarget) // fails for an unknown flag
	return root
}

func newGet(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Ask for the time; the default",
		Args:  shell.FlagsOnly,
	}
	c.makeGet(cmd, stdio)
	return cmd
}

// makeGet gives cmd, which is get or the root, the flags and the work of get.
func (c *config) makeGet(cmd *cobra.Command, stdio *shell.Stdio) {
	c.addGetFlags(cmd.Flags())
	cmd.RegisterFlagCompletionFunc("zone", c.completeZone) // fails for an unknown flag
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c.completeGet(cmd.Flags().Changed)
		if c.balance == "hash" && c.hashKey == "" {
			return shell.UsageError("balance", errors.New(`"hash": want a --hash-key, too`))
		}
		if c.balance != "hash" && c.hashKey != "" {
			err := fmt.Errorf("%q: want --balance hash, too", c.hashKey)
			return shell.UsageError("hash-key", err)
		}
		if most := transport.DefaultMaxConns(1); c.concurrency > most {
			return shell.UsageError("concurrency",
				fmt.Errorf(`"%d": each takes a file descriptor; want %d at most`, c.concurrency,
					most))
		}
		c.version = cmd.Root().Version
		return get(cmd.Context(), c, stdio)
	}
}

func newList(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the registered servers",
		Long: `Print the registered servers, sorted, one on a line. It waits up to --timeout
for the registry, and ends with 1 if there is no answer. With --snapshot it then
prints the list of the file, says on stderr how old that is, and ends with 1 all
the same: only 0 means that these are the servers. With several registries each
must answer for that; -o wide and json tell which of them know a server. Names
that cannot be dialled are left out, and counted on stderr; a list of nothing
else ends with 1. Where there is no list, -o json prints an object whose only
key, error, says why.

With --check each server is asked, up to --timeout: whether it answers, in which
time, and how far its clock is from this host's, with the bound of that error.
It ends with 1 if one does not answer.`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.list.check && !cmd.Flags().Changed("output") {
				c.list.output = "table"
			}
			return list(cmd.Context(), c, stdio)
		},
	}
	c.addListFlags(cmd.Flags())
	return cmd
}

func newWatch(c *config, stdio *shell.Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print who joins and leaves, as it happens",
		Long: `Print who joins and leaves, as it happens, until Ctrl-C or until nobody reads
it: a line with the time, join or leave, and the address. The servers that are
registered at the start join first. With --snapshot, and a registry that is
down, these are the servers of the file, which the log says; what has changed
meanwhile is printed when the registry is back.`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return watch(cmd.Context(), c, stdio) },
	}
	c.addWatchFlags(cmd.Flags())
	return cmd
}

// knownCommand refuses arguments of the root, which are commands that do not exist.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	return shell.UsageError("", fmt.Errorf("command %q: want %s%s", args[0], strings.Join(names, ", "),
		shell.DidYouMean("", args[0], names)))
}
