package zk

import (
	"context"
	"fmt"
	"net"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

var _ sd.Backend = (*Backend)(nil)

// A Backend is one directory in one ZooKeeper ensemble, over one session. Its
// methods may be called concurrently.
type Backend struct {
	keeper    *keeper
	directory *directory
	announcer *announcer
}

// An Option changes how a Backend is opened.
type Option func(*options)

type options struct{ dial DialFunc }

// Dial makes connections with f. By default a net.Dialer makes them.
func Dial(f DialFunc) Option { return func(o *options) { o.dial = f } }

// Open is OpenBackend in the form of an entry of sd.Schemes, for the scheme zk.
func Open(t sd.Target) (sd.Backend, error) { return OpenBackend(t) }

// OpenBackend opens the directory that t names:
//
//	zk://host[:port][,host[:port]...][/path][?key=value[&key=value...]]
//
// The port is 2181 and the path /go_servers if they are left out. Keys:
// session-timeout, 10s by default, is what is asked for (the server grants 2 to
// 20 of its ticks); watch is auto by default, and persistent or children to
// force one; tls-ca, tls-cert, tls-key and auth-file are files, none by default,
// and acl is open by default, or creator: see Security above. A path can hold
// neither % nor a blank.
//
// OpenBackend connects in the background and does not wait: it fails only if t
// is wrong, or a file that it names. Names of hosts are resolved at every dial. The caller must Close
// the backend.
func OpenBackend(t sd.Target, opts ...Option) (*Backend, error) {
	c, err := parseConfig(t)
	if err != nil {
		return nil, err
	}
	if err := c.checkFiles(); err != nil {
		return nil, fmt.Errorf("zk: open %s: %w", t, err)
	}
	o := options{dial: (&net.Dialer{}).DialContext}
	for _, option := range opts {
		option(&o)
	}
	b := &Backend{}
	ready := make(chan struct{}) // until then the sink waits: no event is lost
	b.keeper, err = newKeeper(c, o.dial, func(l *link, e gozk.Event) {
		<-ready
		b.directory.queue.push(l, e)
		b.announcer.event(l, e)
	})
	if err != nil {
		return nil, fmt.Errorf("zk: open %s: %w", t, err)
	}
	b.directory = newDirectory(b.keeper, c)
	b.announcer = newAnnouncer(b.keeper, c)
	close(ready)
	go b.directory.run(b.keeper.ctx)
	go b.announcer.run(b.keeper.ctx)
	return b, nil
}

// Watch implements sd.Backend. Any number of calls share one watch and one
// list.
func (b *Backend) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	return b.directory.watch(ctx, emit)
}

// Announce implements sd.Backend. The node is ephemeral, and owned by the
// session of b. A node that a predecessor left behind, a process on this host
// with the same address or an earlier session of this one, is taken over in one
// step; any other is a conflict.
func (b *Backend) Announce(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	return b.announcer.announce(ctx, entry.Instance, func() { told(sd.Status{Phase: sd.Registered}) })
}

// Close ends every call and the session, which removes what is still
// registered. It waits two seconds at most for a server that does not answer;
// the session then ends by its timeout. It returns nil.
func (b *Backend) Close() error {
	b.keeper.close()
	<-b.directory.done
	<-b.announcer.done
	return nil
}

// Stats is what a Backend has seen, for an operator.
type Stats struct {
	Session   int64         // 0 while there is none
	Server    string        // which holds the session
	Timeout   time.Duration // of the session, as negotiated, or as asked for
	Watch     string        // persistent or children, as last used; empty before the first Watch
	Dials     int64         // connections tried
	Recreated int64         // how often the client was given up for a probe, as when the data had gone back
	Lists     int64         // how often the directory was listed
	Mended    int64         // how often an audit found what no event had told
}

// Stats returns what has happened since b was opened.
func (b *Backend) Stats() Stats {
	s := Stats{
		Timeout:   b.keeper.timeout(),
		Dials:     b.keeper.dials.Load(),
		Recreated: b.keeper.era(),
		Lists:     b.directory.lists.Load(),
		Mended:    b.directory.mended.Load(),
		Watch:     string(b.directory.watching()),
	}
	if l, _ := b.keeper.state(); l != nil {
		s.Session, s.Server = l.session, l.server
	}
	return s
}
