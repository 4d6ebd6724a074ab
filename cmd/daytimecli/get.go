package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/load"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd/lb"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

const (
	hedgeRatio       = 0.1 // of the requests may be asked twice
	progressInterval = 500 * time.Millisecond
)

// get asks for the time c.count times, over one session with the registry.
func get(ctx context.Context, c *config, stdio *shell.Stdio) error {
	summaries, stop := shell.NotifySummary() // first and to the end: otherwise the signal ends the process
	defer stop()
	picker, err := c.picker()
	if err != nil {
		return err
	}
	options, err := c.clientOptions()
	if err != nil {
		return err
	}
	c.exporter = telemetry.New("daytimecli")
	operator, err := c.startAdmin(ctx, stdio.Logger())
	if err != nil {
		return err
	}
	defer operator.Close()
	options = append(options, c.exporter.Client())
	registry, err := c.open(stdio, c.hasSnapshot(), false)
	if err != nil {
		return err
	}
	defer registry.Close()
	ctx, cancel := stdio.WithReader(ctx)
	defer cancel()
	registry.Begin(ctx)
	notice := statelog.NewNotice(registry, registry, registry.Logger)
	defer notice.Stop()
	logger := c.newLogger(stdio)
	factory := transport.Factory(options...)
	pool := lb.NewPool(registry, factory, kitlog.With(statelog.Members(stdio), "sd", c.sd.String()),
		c.exporter.Pool(), lb.Reserve(reserve(registry.Parts)))
	defer pool.Close()
	defer operator.Show(c.view(pool, registry))()

	a := asker{c, endpoint.Set{DaytimeEndpoint: lb.Retry(pool, picker, c.retryOptions()...)}}
	r := &runner{c, stdio, logger, notice, pool, load.NewTally(c.concurrency > 0), nil}
	r.take(ctx, c.plan().Run(ctx, a.request), summaries)
	return r.conclude(context.Cause(ctx))
}

// picker is how a server is picked.
func (c *config) picker() (lb.Picker, error) {
	picker, err := lb.ParsePicker(c.balance)
	if err != nil {
		return nil, shell.UsageError("balance", err)
	}
	if c.zone != "" {
		picker = lb.Local(c.zone, picker)
	}
	return picker, nil
}

// plan is when requests begin.
func (c *config) plan() load.Plan {
	return load.Plan{Count: c.count, Interval: c.interval, Duration: c.duration,
		AtOnce: c.concurrency}
}

// A runner takes the results of the requests.
type runner struct {
	*config
	stdio  *shell.Stdio
	logger kitlog.Logger
	notice *statelog.Notice
	pool   *lb.Pool
	tally  *load.Tally
	nobody error // of a request for which there was nobody to ask, the last one; nil: there was none
}

// take counts and prints results until there are no more, and the summary so far when that is asked
// for.
func (r *runner) take(ctx context.Context, results <-chan load.Result, summaries <-chan os.Signal) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	defer r.stdio.Status("")
	for {
		select {
		case result, more := <-results:
			if !more {
				return
			}
			r.add(ctx, result)
		case <-summaries:
			r.stdio.Print(r.tally.Summary(r.pool.Stats(), r.stdio.ErrWidth()))
		case <-ticker.C:
			if r.concurrency > 0 && !r.stdio.Quiet() {
				r.stdio.Status(r.tally.Progress())
			}
		}
	}
}

// add counts and prints a result.
func (r *runner) add(ctx context.Context, result load.Result) {
	if result.Err != nil && ctx.Err() != nil {
		r.tally.GiveUp() // by us, which says nothing about the servers
		return
	}
	r.tally.Add(result)
	var told error // what the log says of it, unless that was said already
	if errors.Is(result.Err, kitlb.ErrNoEndpoints) {
		r.nobody = result.Err
	}
	if result.Err != nil {
		told = r.explain(result.Err)
	}
	if r.output == "json" {
		result.Err = told
	}
	r.stdio.Put(r.text(result))
	if told != nil && r.output == "text" {
		level.Error(r.logger).Log("msg", "request failed", "seq", result.Seq, "err", told)
	}
}

// conclude prints the summary and says how the run ended. A reader of stdout that has gone is no
// failure, and wants no summary either.
func (r *runner) conclude(cause error) error {
	why := r.unexplained()
	if why != nil && !r.stdio.Quiet() {
		level.Error(r.logger).Log("msg", "nobody to ask", "err", why)
	}
	if !errors.Is(cause, syscall.EPIPE) && !r.stdio.Quiet() {
		r.stdio.Print(r.tally.Summary(r.pool.Stats(), r.stdio.ErrWidth()))
	}
	if r.tally.Failed() > 0 || r.tally.Answered() == 0 && !errors.Is(cause, syscall.EPIPE) {
		if r.stdio.Quiet() && r.output == "none" { // neither a summary nor a line for each
			return shell.InOneLine(r.tally.Err(), why)
		}
		return shell.ErrReported
	}
	return nil
}

// unexplained is why there was nobody to ask, if neither a line of a request nor the log said it: a
// run may be over before the log tells of the registry.
func (r *runner) unexplained() error {
	if r.output != "none" || r.nobody == nil {
		return nil
	}
	return r.explain(r.nobody)
}

// explain is what is to be told of an error of a request, beside the warnings of the log, or nil.
func (r *runner) explain(err error) error {
	told := r.notice.Explain(err)
	if r.stdio.Level() == "error" || r.output == "json" { // where no warning is seen
		told = r.notice.Full(err)
	}
	return told
}

// text is what is printed of a result: a line, or nothing when there is no reply and the output is
// not JSON.
func (c *config) text(r load.Result) string {
	switch {
	case c.output == "json":
		line, _ := r.JSON() // which can always be encoded
		return line
	case r.Err != nil || c.output == "none":
		return ""
	default:
		return transport.Printable(r.Reply) + "\n"
	}
}

// clientOptions are those of every client. What is wrong with the flags for TLS is told before
// anything is opened.
func (c *config) clientOptions() ([]transport.ClientOption, error) {
	options := []transport.ClientOption{
		transport.Request(c.request), transport.ClientTimeout(c.timeout)}
	if err := shell.Pair("tls-ca", c.tls.CA, "tls-name", c.tlsName); err != nil {
		return nil, err
	}
	if err := shell.Pair("tls-cert", c.tls.Cert, "tls-key", c.tls.Key); err != nil {
		return nil, err
	}
	switch {
	case c.tlsName == "" && c.tls.Cert != "":
		return nil, shell.UsageError("tls-cert",
			fmt.Errorf("%.64q: want --tls-ca and --tls-name, too", c.tls.Cert))
	case c.tlsName == "":
		return options, nil
	}
	source, err := c.tls.Client()
	switch {
	case errors.Is(err, transport.ErrTLSAuthority):
		return nil, shell.UsageError("tls-ca", err)
	case err != nil:
		return nil, shell.UsageError("tls-cert", err)
	}
	return append(options, transport.ClientTLS(c.tlsName, source)), nil
}

func (c *config) retryOptions() []lb.RetryOption {
	options := []lb.RetryOption{lb.Timeout(c.timeout), lb.Idempotent(), lb.Classify(verdict)}
	if c.retries >= 0 {
		options = append(options, lb.Attempts(c.retries+1))
	}
	if c.hedge {
		options = append(options, lb.Hedge(hedgeRatio))
	}
	return options
}

// verdict has a request go elsewhere when a server says more than a time, or what is none, as an echo
// server does: another one may know better.
func verdict(_ int, err error) lb.Verdict {
	if errors.Is(err, transport.ErrTooLong) || errors.Is(err, transport.ErrNoReply) {
		return lb.Elsewhere
	}
	return lb.Undecided
}

// An asker makes the requests.
type asker struct {
	*config
	service service.Service
}

// request makes one request, with as many attempts as it takes.
func (a asker) request(ctx context.Context, seq int) load.Result {
	if a.hashKey != "" {
		ctx = lb.WithKey(ctx, a.hashKey)
	}
	ctx, trace := lb.WithTrace(ctx)
	ctx, tries := lb.WithTries(ctx)
	begin := time.Now()
	reply, err := a.service.Daytime(ctx)
	return load.Result{Seq: seq, Begin: begin, Server: trace.Instance, Reply: reply, Err: err,
		Took: time.Since(begin), Tries: *tries}
}
