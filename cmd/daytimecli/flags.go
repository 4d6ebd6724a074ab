package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/policy"
)

// addFlags adds the flags of all commands.
func (c *config) addFlags(flags *pflag.FlagSet, stdio *shell.Stdio) {
	flags.SortFlags = false
	flags.Var(registry.Flag(&c.sd), "sd",
		"the registry, or one of several if it is repeated; fixed://ip:port,... is a list without "+
			"one")
	flags.Var(filesFlag{&c.snapshot}, "snapshot",
		"keeps the list, for a start without the registry; one for each --sd, in the same order")
	flags.Var(shell.Duration(&c.timeout, time.Millisecond), "timeout",
		"bound of a whole request, or of list's wait; a server that is silent for a third of it "+
			"(half with one retry) is joined by a second one")
	flags.StringVar(&c.tls.CA, "tls-ca", c.tls.CA,
		"`FILE` with the authority of the servers' certificates, in PEM; with --tls-name, speak "+
			"TLS")
	flags.StringVar(&c.tlsName, "tls-name", c.tlsName,
		"`name` of the service, which each server must prove")
	flags.StringVar(&c.tls.Cert, "tls-cert", c.tls.Cert,
		"`FILE` with a certificate to show to servers")
	flags.StringVar(&c.tls.Key, "tls-key", c.tls.Key, "`FILE` with its key")
	stdio.AddFlags(flags, "nothing but errors on stderr: no warnings, no summary")
}

// Files are the values of --snapshot.
type files []string

// A filesFlag is --snapshot. One that is given again adds to those before.
type filesFlag struct{ *files }

func (f filesFlag) Type() string { return "FILE" }

func (f filesFlag) String() string {
	if f.files == nil {
		return ""
	}
	return strings.Join(*f.files, " ")
}

func (f filesFlag) Set(text string) error {
	*f.files = append(*f.files, text)
	return nil
}

// addGetFlags adds those of get.
func (c *config) addGetFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.VarP(shell.Integer(&c.count, 0), "count", "n", "requests to make; 0 goes on until Ctrl-C")
	flags.VarP(shell.Duration(&c.interval, 0), "interval", "i",
		"time between the starts of two requests; 0 makes one after the other")
	flags.VarP(shell.Duration(&c.duration, 0), "duration", "d",
		"how long requests are started, without bound on their number unless -n is given; "+
			"0 is no bound")
	flags.VarP(shell.Integer(&c.concurrency, 0), "concurrency", "c",
		"load generator: so many requests at a time, with -i 0 and -o none unless these are given")
	flags.VarP(shell.OneOf(&c.output, "text", "json", "none"), "output", "o",
		"form of the replies: text, as they came (what is not printable escaped), "+
			"json, an object for each request, or none")
	flags.StringVar(&c.request, "request", c.request, "`text` to send; may be empty")
	flags.Var(shell.OneOf(&c.balance, lb.PickerNames()...), "balance",
		"how a server is picked: "+strings.Join(lb.PickerNames(), ", "))
	flags.StringVar(&c.hashKey, "hash-key", c.hashKey,
		"`key` for hash: the same key asks the same server")
	flags.Var(shell.Value(&c.zone, "name", parseZone), "zone",
		"zone of this client: its servers are preferred while they suffice")
	flags.Var(shell.Integer(&c.retries, -1), "retries",
		"bound of further attempts when one fails; -1 is as many as time allows")
	shell.AddSwitch(flags, &c.hedge, "hedge", "",
		"ask a second server, too, when the first is slower than usual")
	flags.Var(shell.Value(&c.admin, "host:port", admin.ParseAddr), "admin",
		"host:port: where to answer an operator over HTTP while get runs: a page of the pool at "+
			"/, "+
			"/livez, /metrics and /debug/pprof/; nowhere if it is left out")
}

// parseZone reads the name of a zone.
func parseZone(text string) (string, error) {
	if err := policy.CheckZone(text); err != nil {
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("policy: zone %.64q: ", text))
		return "", errors.New(why)
	}
	return text, nil
}

// A listConfig has the values of the flags of list.
type listConfig struct {
	output string
	min    int
	check  bool
}

// addListFlags adds those of list.
func (c *config) addListFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.VarP(shell.OneOf(&c.list.output, "name", "table", "wide", "json"), "output", "o",
		"form of the list: name, an address a line; table, or wide with more columns; "+
			"json, an object a line")
	flags.Var(shell.Integer(&c.list.min, 0), "min", "end with 1 if fewer servers are registered")
	shell.AddSwitch(flags, &c.list.check, "check", "",
		"ask each server, too; without -o in a table")
}

// addWatchFlags adds those of watch.
func (c *config) addWatchFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.VarP(shell.OneOf(&c.changes, "text", "json"), "output", "o",
		"form of the changes: text, or json, an object a line")
}

// completeGet sets the flags of get that depend on others, unless they were given.
func (c *config) completeGet(given func(name string) bool) {
	if c.concurrency > 0 && !given("interval") {
		c.interval = 0
	}
	if c.concurrency > 0 && !given("output") {
		c.output = "none"
	}
	if c.duration > 0 && !given("count") {
		c.count = 0
	}
}
