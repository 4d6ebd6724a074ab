package etcd

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/internal/record"
)

var (
	_ sd.PolicyStore = (*Backend)(nil)
	_ sd.Diagnoser   = (*Backend)(nil)
)

// A Backend is one directory in one etcd cluster. Its methods may be called concurrently.
type Backend struct {
	config   config
	owner    record.Owner
	cluster  *cluster.Cluster
	closed   context.Context // done when Close begins, which ends every call
	close    context.CancelFunc
	cleaners sync.WaitGroup // goroutines that withdraw late; Close awaits them
	once     sync.Once      // Close

	mu            sync.Mutex
	registrations map[string]*registration // by instance

	missing  atomic.Bool // there was no directory when a Watch looked last
	lists    atomic.Int64
	repaired atomic.Int64

	auditEvery time.Duration // about; a test has less patience

	countExpiry, countRepair func() // in the instruments
}

// An Option changes how a Backend is opened.
type Option func(*options)

// A DialFunc makes a connection to host:port. It is that of a net.Dialer.
type DialFunc = cluster.DialFunc

type options struct {
	dial    DialFunc
	metrics sd.BackendMetrics
}

// Dial makes connections with f. By default a net.Dialer makes them.
func Dial(f DialFunc) Option { return func(o *options) { o.dial = f } }

// Instruments has a Backend report to m: the leases that ended before they were revoked, and the
// lists that an audit found to be wrong. The default is nothing.
func Instruments(m sd.BackendMetrics) Option { return func(o *options) { o.metrics = m } }

// Open is [OpenBackend] in the form of an entry of sd.Schemes, for the scheme etcd.
func Open(t sd.Target) (sd.Backend, error) { return OpenBackend(t) }

// OpenBackend opens the directory that t names:
//
//	etcd://host[:port][,host[:port]...][/prefix][?key=value[&key=value...]]
//
// The port is 2379 and the prefix /go_servers if they are left out; a slash at the end of the
// prefix does not matter. Keys: ttl, 10s by default, of leases, in whole seconds (the cluster
// grants no less than one and a half times its election timeout); tls-ca, tls-cert, tls-key and
// auth-file are files, none by default: see Security above.
//
// OpenBackend connects in the background and does not wait: it fails only if t is wrong, or a file
// that it names. The caller must Close the backend.
func OpenBackend(t sd.Target, opts ...Option) (*Backend, error) {
	c, err := checkedConfig(t)
	if err != nil {
		return nil, err
	}
	o := options{dial: (&net.Dialer{}).DialContext}
	for _, option := range opts {
		option(&o)
	}
	b := &Backend{
		config:        c,
		owner:         record.Self(),
		registrations: map[string]*registration{},
		auditEvery:    auditEvery,
	}
	b.countExpiry = instruments.Counting(o.metrics.SessionExpiries)
	b.countRepair = instruments.Counting(o.metrics.Repaired)
	b.cluster = cluster.New(&b.config.Config, o.dial)
	b.closed, b.close = context.WithCancel(context.Background())
	b.cluster.Start()
	return b, nil
}

// Target is where b is, in full: with the port and the prefix that may be left out, and without
// keys. Two targets of one registry that share a host are so known by it (see [sd.Snapshot]).
func (b *Backend) Target() sd.Target { return b.config.target() }

// CheckTarget fails as OpenBackend would, and connects to nothing. It returns t in full, as
// [Backend.Target] has it.
func CheckTarget(t sd.Target) (full sd.Target, err error) {
	c, err := checkedConfig(t)
	if err != nil {
		return sd.Target{}, err
	}
	return c.target(), nil
}

// checkedConfig is what t says, with files that can be used.
func checkedConfig(t sd.Target) (config, error) {
	c, err := parseConfig(t)
	if err != nil {
		return config{}, err
	}
	if err := c.CheckFiles(); err != nil {
		return config{}, fmt.Errorf("etcd: open %s: %w", t, err)
	}
	return c, nil
}

func (c *config) target() sd.Target {
	return sd.Target{Scheme: "etcd", Hosts: slices.Clone(c.Hosts), Path: c.Key}
}

// Watch implements sd.Backend. The entries' values come with the events, so that a withdrawal is
// told from a loss without a read.
func (b *Backend) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	calling, cancel := b.calling(ctx)
	defer cancel()
	n, err := b.cluster.Get(calling)
	if err == nil {
		f := follower{backend: b, conn: n, want: want, emit: emit}
		err = f.run(calling)
	}
	return b.result(ctx, fmt.Errorf("etcd: watch %s: %w", b.config.Key, err))
}

// calling is ctx for a call, which Close ends as well.
func (b *Backend) calling(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.closed, cancel)
	return ctx, func() { stop(); cancel() }
}

// result is what a call returns that has ended with err, which is not nil.
func (b *Backend) result(ctx context.Context, err error) error {
	switch {
	case b.closed.Err() != nil:
		return sd.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// Close ends every call and withdraws what is still registered. It waits two seconds at most for a
// cluster that does not answer; entries then end with their leases. It returns nil.
func (b *Backend) Close() error {
	b.once.Do(func() {
		b.close()
		b.withdrawAll()
		b.cleaners.Wait()
		b.cluster.Close()
	})
	return nil
}

// Err says why there is no set: that nobody answers, or that there is no directory.
func (b *Backend) Err() error {
	if _, err := b.cluster.Current(); err != nil {
		return fmt.Errorf("etcd: %w: %w", cluster.ErrNoConn, err)
	}
	if b.missing.Load() {
		return fmt.Errorf("etcd: %s: %w", b.config.Key, sd.ErrNoDirectory)
	}
	return nil
}

// Stats is what a Backend has seen, for an operator.
type Stats struct {
	Server   string // member in use; empty while there is none
	Err      error  // why there is none
	Dials    int64  // connections tried
	Lists    int64  // how often the directory was listed as a whole
	Repaired int64  // how often an audit found what no event had told
}

// Stats returns what has happened since b was opened.
func (b *Backend) Stats() Stats {
	s := Stats{Dials: b.cluster.Dials(), Lists: b.lists.Load(), Repaired: b.repaired.Load()}
	n, err := b.cluster.Current()
	if s.Err = err; err == nil {
		s.Server = n.Server()
	}
	return s
}
