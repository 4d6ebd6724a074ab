package zk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

var (
	_ sd.PolicyStore = (*Backend)(nil)
	_ sd.Diagnoser   = (*Backend)(nil)
	_ sd.Waker       = (*Backend)(nil)
)

// A Backend is one directory in one ZooKeeper ensemble, over one session. Its methods may be called
// concurrently.
type Backend struct {
	config    config
	target    sd.Target
	session   *session.Session
	stop      context.CancelFunc // ends the announcer
	directory *watch.Directory
	announcer *announcer
}

// An Option changes how a Backend is opened.
type Option func(*options)

// DialFunc opens a connection to one ZooKeeper server.
type DialFunc = session.DialFunc

type options struct {
	dial    DialFunc
	metrics sd.BackendMetrics
}

// Dial makes connections with f. By default a net.Dialer makes them.
func Dial(f DialFunc) Option { return func(o *options) { o.dial = f } }

// Instruments has a Backend report to m: the sessions that expired, and the lists that an audit
// found to be wrong. The default is nothing.
func Instruments(m sd.BackendMetrics) Option { return func(o *options) { o.metrics = m } }

// Open is OpenBackend in the form of an entry of sd.Schemes, for the scheme zk. With a layout the
// Backend is no sd.PolicyStore.
func Open(t sd.Target) (sd.Backend, error) { return Opener()(t) }

// Opener is Open with options.
func Opener(opts ...Option) func(sd.Target) (sd.Backend, error) {
	return func(t sd.Target) (sd.Backend, error) {
		b, err := OpenBackend(t, opts...)
		if err != nil || b.config.directory.Layout == nil {
			return b, err
		}
		return struct{ discoverer }{b}, nil
	}
}

// A discoverer is a Backend without a policy.
type discoverer interface {
	sd.Backend
	sd.Diagnoser
	sd.Waker
	Target() sd.Target
	Stats() Stats
}

// OpenBackend opens the directory that t names:
//
//	zk://host[:port][,host[:port]...][/path][?key=value[&key=value...]]
//
// The port is 2181 and the path /go_servers if they are left out. Keys: session-timeout, 10s by
// default, is asked for (the server grants 2 to 20 of its ticks); watch is auto by default, and
// persistent or children to force one; policy is on by default, and with off there is none for
// Watch and Announce, whatever the directory says; layout is curator, serverset or dubbo for a
// directory that another system writes, see Other layouts above; tls-ca, tls-cert, tls-key and
// auth-file are files, none by default, and acl is open by default, or creator: see Security above.
// A path can hold neither % nor a blank.
//
// OpenBackend connects in the background and does not wait: it fails only if t is wrong, or a file
// that it names. Names of hosts are resolved at every dial. The caller must Close the backend.
func OpenBackend(t sd.Target, opts ...Option) (*Backend, error) {
	c, err := checkedConfig(t)
	if err != nil {
		return nil, err
	}
	var o options
	for _, option := range opts {
		option(&o)
	}
	c.session.Dial = o.dial
	c.session.Expired = instruments.Counting(o.metrics.SessionExpiries)
	c.directory.Repaired = instruments.Counting(o.metrics.Repaired)
	s, err := session.New(c.session)
	if err != nil {
		return nil, fmt.Errorf("zk: open %s: %w", t, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := watch.New(s, c.directory)
	b := &Backend{c, c.target(t), s, stop, d, newAnnouncer(s, c, d)}
	s.Start(func(on *session.Conn, e gozk.Event) {
		b.directory.Event(on, e)
		b.announcer.event(e)
	})
	go b.announcer.run(ctx)
	return b, nil
}

// CheckTarget fails as OpenBackend would, and connects to nothing. It returns t in full, as
// [Backend.Target] has it.
func CheckTarget(t sd.Target) (full sd.Target, err error) {
	c, err := checkedConfig(t)
	if err != nil {
		return sd.Target{}, err
	}
	return c.target(t), nil
}

// checkedConfig is what t says, with files that can be used.
func checkedConfig(t sd.Target) (config, error) {
	c, err := parseConfig(t)
	if err != nil {
		return config{}, err
	}
	if err := c.session.Check(); err != nil {
		return config{}, fmt.Errorf("zk: open %s: %w", t, err)
	}
	return c, nil
}

// SessionOf returns what OpenBackend makes of t: how its session connects, and the path of the
// directory. It does no I/O, and is for tools that look at a registry from below.
func SessionOf(t sd.Target) (how session.Config, directory string, err error) {
	c, err := parseConfig(t)
	if err != nil {
		return session.Config{}, "", err
	}
	return c.session, c.directory.Parent, nil
}

// Target is where b is, in full: with the port and the path that may be left out, and without keys.
// Two targets of one registry that share a host are so known by it (see [sd.Snapshot]).
func (b *Backend) Target() sd.Target { return b.target }

// Watch implements sd.Backend. It runs in its caller's goroutine. Several calls share one watch and
// one session, and list each for itself: to have one list as well, share an Instancer.
//
// It returns at once when ctx is done, unless a request is under way: then when that is answered, or
// its connection is down, for which a server that is silent has two thirds of the session timeout
// (see [session.Conn]).
func (b *Backend) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return translate(b.directory.Watch(ctx, want, emit))
}

// Announce implements sd.Backend. The node is ephemeral, and owned by the session of b. A node that
// a predecessor left behind, a process on this host with the same address or an earlier session of
// this one, is taken over in one step, or removed if the policy withholds the instance; any other
// is a conflict. Attributes that change replace the node in one step as well. A registrar that may
// not read the directory keeps to the last policy that it could read, and asks again every half a
// minute.
func (b *Backend) Announce(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	if l := b.config.directory.Layout; l != nil {
		return fmt.Errorf("zk: announce %s: layout %v: %w", entry.Instance, l, errReadOnly)
	}
	return translate(b.announcer.announce(ctx, entry, told))
}

// Close ends every call and the session, which removes every node that is still registered. It
// waits two seconds at most for a server that does not answer; the session then ends by its
// timeout. It returns nil.
func (b *Backend) Close() error {
	b.stop()
	b.session.Close()
	<-b.announcer.done
	return nil
}

// Err says why there is nothing to read, as far as is known by now: an error that matches
// [session.ErrNoSession] while there is no session, and [sd.ErrDenied] if that is the cause; one
// that matches [sd.ErrNoDirectory] if a Watch has found no directory; otherwise nil. Watch and
// Announce take a second before they say that there is no session. It is sd.Diagnoser's.
func (b *Backend) Err() error {
	if err := b.session.Err(); err != nil {
		return translate(err)
	}
	return translate(b.directory.Missing())
}

// Ready implements sd.Waker: what failed for want of a session is worth repeating once there is
// one.
func (b *Backend) Ready(err error) <-chan struct{} {
	if !errors.Is(err, session.ErrNoSession) && !errors.Is(err, session.ErrDisconnected) {
		return nil
	}
	c, changed := b.session.Conn()
	if c != nil && c.Err() == nil {
		now := make(chan struct{})
		close(now)
		return now
	}
	return changed
}

// Stats are the figures of a Backend, for an operator.
type Stats struct {
	Session   int64         // 0 while there is none
	Server    string        // which holds the session
	Timeout   time.Duration // of the session, as negotiated, or as asked for
	Watch     string        // persistent or children, as last used; empty before the first Watch
	Dials     int64         // connections tried
	Recreated int64         // how often the client was given up, as when the data had gone back
	Lists     int64         // how often the directory was listed
	Repaired  int64         // how often an audit found that an event was missed
}

// Stats counts from the opening of b.
func (b *Backend) Stats() Stats {
	s := b.session.Stats()
	lists, repaired, using := b.directory.Stats()
	return Stats{
		Session:   s.Session,
		Server:    s.Server,
		Timeout:   s.Timeout,
		Dials:     s.Dials,
		Recreated: s.Generation,
		Lists:     lists,
		Repaired:  repaired,
		Watch:     string(using),
	}
}
