// Command daytimesvc serves the time on one or more addresses and keeps each of them registered.
//
// It wires the server side together: a service.Service in an endpoint.Set behind a
// transport.Server, and for each of them an sd.Registrar in each registry, which keeps the
// registration up through faults of that. Any program that registers itself does so in the same
// order.
//
// main.go has the flags; addresses.go checks the addresses, refuses those that could not be
// registered or dialled, and binds them; dev.go has the registry of --dev; admin.go answers an
// operator; registry.go has the registries, and what is said there of a server beside its address;
// systemd.go takes over sockets from systemd; serve.go
// is the life of the program: the function serve in a straight line from the listeners to the
// shutdown, whose order is what makes a restart lose no request. The rest, which is not about the
// time, is in cmd/internal: registry opens what --sd names, and shell is what any program needs. Of
// the tests, serve_test.go runs the program on a registry in memory, and e2e_test.go runs the built
// programs on a real ZooKeeper.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

func main() {
	os.Exit(run(shell.UntilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// clientFlags are those of daytimecli alone, for which the environment may be, too.
const clientFlags = "backend balance by check concurrency count dry-run duration file force " +
	"hash-key hedge interval min output parameters reason request retries snapshot strict then " +
	"timeout tls-ca tls-name until verbose watch"

// maxDrain bounds --drain: a server that drains does not end.
const maxDrain = 24 * time.Hour

// run is the program without its process. The end of ctx is the first signal.
func run(ctx context.Context, args []string, lookup shell.Lookup, stdout, stderr io.Writer) int {
	stdio := shell.NewStdio(ctx, stdout, stderr, "info")
	stdio.OtherFlags = strings.Fields(clientFlags)
	return shell.Execute(ctx, newCommand(stdio), stdio, args, lookup)
}

// A config has the values of the flags.
type config struct {
	inherited         []net.Listener // from systemd, instead of listen
	listen, advertise list
	sd                registry.URLs
	attributes        attributes
	tls               transport.TLSFiles
	dev               bool
	drain             time.Duration
	format            string
	anonymous         bool
	maxConns          connLimit
	maxConnsPerIP     int
	admin             string // where an operator is answered; empty is nowhere
	version           string // of this program
}

func defaults() config {
	return config{
		listen:   list{"127.0.0.1:8897", "127.0.0.1:8898", "127.0.0.1:8899"},
		sd:       registry.URLs{"zk://127.0.0.1:2181/go_servers"},
		drain:    time.Second,
		format:   service.FormatNames()[0],
		maxConns: autoConns,
	}
}

func newCommand(stdio *shell.Stdio) *cobra.Command {
	c := defaults()
	cmd := &cobra.Command{
		Use:   "daytimesvc [flags]",
		Short: "Serve the time over TCP, registered in ZooKeeper or etcd",
		Long: `Serve the time over TCP, and keep every address registered in ZooKeeper or etcd.

Each listen address is a server of its own, registered under ip:port. A
loopback address is not registered in a ZooKeeper elsewhere, where clients of
other hosts would take it for their own, unless --advertise says so. While the
registry is down the servers serve all the same, and register when it is back.

With several --sd every address is registered in each, independently: a registry
that is away delays no other. So a fleet moves from one to another.

SIGINT, SIGTERM or SIGHUP withdraws the registrations, goes on serving for
--drain, finishes what was begun and ends with 0; a second signal, a tenth of a
second later or more, ends at once with 130. The log is on stderr.

With --weight, --zone and --tag the servers say more of themselves, which an
operator selects them by: see daytimecli drain. One that the policy withdraws
goes on serving, and registers when that is over.

With --admin a page, health checks, metrics and profiles are there over HTTP,
without a password: give an address that only operators reach. /readyz stays 200
while the registry is down, and is 503 from the first signal on.

Sockets that systemd hands over (ListenStream=) stand instead of --listen, and
refuse nobody during a restart. With Type=notify the service is ready after the
first attempt to register, which takes 2 s at most.

Each flag can also be set in the environment: --log-level as DAYTIME_LOG_LEVEL.
A flag wins over its variable. DAYTIME_SD and DAYTIME_TAG may hold several, with
blanks between.`,
		Example: `  daytimesvc --dev
  daytimesvc --listen 192.0.2.1:8897 --sd zk://zk1,zk2,zk3/go_servers
  daytimesvc --listen :8897 --advertise 192.0.2.1:8897 --sd zk://zk1/go_servers`,
		Args: shell.FlagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.inherit(cmd.Flags().Changed("listen")); err != nil {
				return err
			}
			if err := c.check(); err != nil {
				closeAll(c.inherited)
				return err
			}
			c.version = cmd.Root().Version
			return serve(cmd.Context(), c, stdio)
		},
	}
	c.addFlags(cmd.Flags(), stdio)
	return cmd
}

func (c *config) addFlags(flags *pflag.FlagSet, stdio *shell.Stdio) {
	flags.SortFlags = false
	flags.Var(shell.Value(&c.listen, "list", listOf(shell.CheckListen)), "listen",
		"host:port,...: where to serve; port 0 lets the system choose")
	flags.Var(shell.Value(&c.advertise, "list", listOf(sd.CheckInstance)), "advertise",
		"ip:port,...: what to register, if not the listen addresses; one for each of them")
	flags.Var(registry.Flag(&c.sd), "sd",
		"where to register, in each if it is repeated; fixed://ip:port registers nowhere")
	c.attributes.addFlags(flags)
	flags.StringVar(&c.tls.Cert, "tls-cert", c.tls.Cert,
		"`FILE` with the certificate of the service's name, in PEM; with --tls-key, serve TLS alone")
	flags.StringVar(&c.tls.Key, "tls-key", c.tls.Key, "`FILE` with its key")
	flags.StringVar(&c.tls.CA, "tls-client-ca", c.tls.CA,
		"`FILE` with the authority that clients must have a certificate of")
	shell.AddSwitch(flags, &c.dev, "dev", "",
		"run a ZooKeeper for development in this process, at the address in the first --sd")
	flags.Var(shell.DurationUpTo(&c.drain, 0, maxDrain), "drain",
		"how long to go on serving after the withdrawal")
	flags.Var(shell.OneOf(&c.format, service.FormatNames()...), "format",
		"form of the time: "+strings.Join(service.FormatNames(), ", ")+"; unix is that of date(1)")
	shell.AddSwitch(flags, &c.anonymous, "anonymous", "",
		"reply with the time alone, without the server's address")
	flags.Var(shell.Value(&c.maxConns, "number", parseConnLimit), "max-conns",
		"connections served at a time, by each server; 0 is no limit; "+
			"auto is 10000, or as many as there are file descriptors for")
	flags.Var(shell.Integer(&c.maxConnsPerIP, 0), "max-conns-per-ip",
		"the same, from one IPv4 address or IPv6 /64; 0 is no limit")
	flags.Var(shell.Value(&c.admin, "host:port", admin.ParseAddr), "admin",
		"host:port: where to answer an operator over HTTP: a page at /, /livez, /readyz, /metrics "+
			"and /debug/pprof/; nowhere if it is left out")
	stdio.AddFlags(flags, "nothing but errors on stderr")
}

// check refuses addresses that could not be registered, before anything is opened.
func (c *config) check() error {
	if n := len(c.advertise); n > 0 && n != len(c.listen) {
		return shell.UsageError("advertise", fmt.Errorf(
			"%q: %d; want %d, one for each listen address, in the same order",
			c.advertise, n, len(c.listen)))
	}
	for _, s := range c.listen {
		if len(c.advertise) == 0 && isWildcard(s) {
			return shell.UsageError("listen", fmt.Errorf(
				"%q: clients cannot dial a wildcard address; say with --advertise what to register", s))
		}
	}
	if err := c.checkTLS(); err != nil {
		return err
	}
	if c.dev {
		if _, err := devAddress(c.sd[0]); err != nil {
			return err
		}
	}
	if err := c.checkRegistries(); err != nil {
		return err
	}
	return checkTargets(c.sd)
}

// checkTLS refuses files for TLS of which others are missing.
func (c *config) checkTLS() error {
	if err := shell.Pair("tls-cert", c.tls.Cert, "tls-key", c.tls.Key); err != nil {
		return err
	}
	if c.tls.CA != "" && c.tls.Cert == "" {
		return shell.UsageError("tls-client-ca",
			fmt.Errorf("%.64q: want --tls-cert and --tls-key, too", c.tls.CA))
	}
	return nil
}

// readTLS reads the files for TLS.
func (c *config) readTLS() (transport.TLSSource, error) {
	source, err := c.tls.Server()
	if err == nil {
		return source, nil
	}
	if errors.Is(err, transport.ErrTLSAuthority) {
		return nil, shell.UsageError("tls-client-ca", err)
	}
	return nil, shell.UsageError("tls-cert", err)
}

// A connLimit is the value of --max-conns.
type connLimit int

// autoConns leaves the limit to package transport.
const autoConns connLimit = -1

func (l connLimit) String() string {
	if l == autoConns {
		return "auto"
	}
	return strconv.Itoa(int(l))
}

func parseConnLimit(text string) (connLimit, error) {
	n, err := strconv.Atoi(text)
	switch {
	case text == "auto":
		return autoConns, nil
	case err != nil || n < 0:
		return 0, fmt.Errorf("want auto, or %s", shell.NumberOf(0, err))
	}
	return connLimit(n), nil
}

// of returns the limit of each of so many servers.
func (l connLimit) of(servers int) int {
	if l == autoConns {
		return transport.DefaultMaxConns(servers)
	}
	return int(l)
}
