package zk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// A client is one go-zookeeper Conn: a sequence of connections which, as long
// as ZooKeeper grants it, belong to one session. The Conn goes on by itself
// after an expiry, with a new session.
type client struct {
	conn   *gozk.Conn
	events <-chan gozk.Event // closed when the Conn has ended
	config config
	dialer DialFunc
	hosts  *hosts
	pacer  *pacer
	stop   context.CancelFunc // ends dials under way
	ctx    context.Context
	wake   func() // called, without blocking, after every change
	sink   func(*link, gozk.Event)
	dials  *atomic.Int64

	mu       sync.Mutex
	guard    *guard    // the current or last connection
	last     handshake // of guard, if it was answered
	asked    time.Duration
	link     *link                // nil while there is no session
	held     bool                 // there was a link
	lost     time.Time            // when the last link went down, or the client began
	refused  time.Time            // when a server last closed a connection in place of an answer
	refusals map[string]time.Time // the same, by server
	failure  error                // why there is no link
}

// A link is the time from one HasSession to the disconnect after it. What is
// armed on a link lasts as long as the link.
type link struct {
	*gozk.Conn
	session int64
	timeout time.Duration // as negotiated
	server  string
	since   time.Time
	replies *replyCheck
	down    chan struct{} // closed when the link is
}

// alive reports whether the link is up, as far as is known.
func (l *link) alive() bool {
	select {
	case <-l.down:
		return false
	default:
		return true
	}
}

// valid returns an error if the link is down by now. What is asked for on a link
// may be answered on the next one, and says nothing then about what is armed
// here.
func (l *link) valid() error {
	if !l.alive() {
		return errDisconnected
	}
	return nil
}

// newClient connects in the background.
func newClient(c config, dial DialFunc, p *pacer, dials *atomic.Int64, wake func(), sink func(*link, gozk.Event)) (*client, error) {
	ctx, stop := context.WithCancel(context.Background())
	cl := &client{
		config:   c,
		dialer:   dial,
		hosts:    &hosts{},
		refusals: map[string]time.Time{},
		pacer:    p,
		ctx:      ctx,
		stop:     stop,
		wake:     wake,
		sink:     sink,
		dials:    dials,
		asked:    c.timeout,
		lost:     time.Now(),
	}
	cl.mu.Lock() // the callback may be called before the Conn is known
	defer cl.mu.Unlock()
	var err error
	cl.conn, cl.events, err = gozk.Connect(c.hosts, c.timeout,
		gozk.WithDialer(cl.dial),
		gozk.WithHostProvider(cl.hosts),
		gozk.WithEventCallback(cl.event),
		gozk.WithMaxBufferSize(mostFrame),
		gozk.WithLogger(silent{}),
		gozk.WithLogInfo(false),
	)
	if err != nil {
		return nil, err
	}
	return cl, nil
}

// silent drops what go-zookeeper logs: every failure comes back as an error.
type silent struct{}

func (silent) Printf(string, ...any) {}

// dial is go-zookeeper's dialer. It runs in the Conn's own goroutine.
func (c *client) dial(network, address string, _ time.Duration) (net.Conn, error) {
	c.closeGuard() // go-zookeeper leaves it open after an expiry
	if err := c.pacer.wait(c.ctx); err != nil {
		return nil, err
	}
	c.dials.Add(1)
	ctx, cancel := context.WithTimeout(c.ctx, dialTimeout)
	defer cancel()
	conn, err := c.connect(ctx, network, address)
	if err != nil {
		c.fail(address, err)
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guard = newGuard(conn, c.hosts.handshakeTimeout(c.asked), func(h handshake) { c.shaken(address, h) })
	return c.guard, nil
}

// connect opens a connection, with TLS and credentials if the target asks for
// them. TLS has a second, and after rounds in vain the time of a handshake: many
// clients at once must not keep a server busy with what none of them waits for.
func (c *client) connect(ctx context.Context, network, address string) (net.Conn, error) {
	secret, err := c.config.secret()
	if err != nil {
		return nil, err
	}
	conn, err := c.dialer(ctx, network, address)
	if err == nil && c.config.tls.used() {
		ctx, cancel := context.WithTimeout(c.ctx, max(dialTimeout, c.handshakeTimeout()))
		defer cancel()
		conn, err = c.config.tls.secure(ctx, conn, address)
	}
	if err != nil || secret == nil {
		return conn, err
	}
	return &authConn{Conn: conn, secret: secret}, nil
}

func (c *client) handshakeTimeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hosts.handshakeTimeout(c.asked)
}

func (c *client) closeGuard() {
	c.mu.Lock()
	g := c.guard
	c.mu.Unlock()
	if g != nil {
		g.Close()
	}
}

// shaken takes in how a handshake ended.
func (c *client) shaken(server string, h handshake) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = h
	switch {
	case h.refused:
		c.refused = time.Now()
		c.refusals[server] = c.refused
		c.failed(server, fmt.Errorf("%s: %w", server, errRefused))
	case h.err != nil:
		c.failed(server, fmt.Errorf("%s: handshake: %w", server, h.err))
	case h.session == 0:
		c.failure = fmt.Errorf("%s: %w", server, gozk.ErrSessionExpired)
	default:
		c.asked, c.failure = h.timeout, nil
		c.pacer.accepted()
	}
}

func (c *client) fail(server string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed(server, err)
}

// failed is fail under the lock. A denial does not slow the dials down as long
// as there may be a session to save: it may be over in a moment, as when a
// server loads another certificate.
func (c *client) failed(server string, err error) {
	c.failure = err
	if mayLive := c.held && time.Since(c.lost) < c.asked; !mayLive {
		c.pacer.failed(server, errors.Is(err, sd.ErrDenied))
	}
}

// event is go-zookeeper's callback. It must not block, nor call the Conn.
func (c *client) event(e gozk.Event) {
	c.mu.Lock()
	l := c.link
	switch {
	case e.Type != gozk.EventSession:
	case e.State == gozk.StateHasSession:
		c.held = true
		c.link = &link{
			Conn:    c.conn,
			session: c.last.session,
			timeout: c.last.timeout,
			server:  e.Server,
			since:   time.Now(),
			replies: &c.guard.replies,
			down:    make(chan struct{}),
		}
	case e.State == gozk.StateDisconnected && l != nil:
		close(l.down)
		c.link, c.lost = nil, time.Now()
	}
	c.mu.Unlock()
	if e.Type == gozk.EventSession {
		c.wake()
	} else if l != nil {
		c.sink(l, e)
	}
}

// status is what the session keeper looks at.
func (c *client) status() (l *link, lost, refused time.Time, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link, c.lost, c.refused, c.failure
}

// refusedBy returns when server last closed a connection in place of an answer.
func (c *client) refusedBy(server string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusals[server]
}

// close ends the session if a server can be reached, and reports whether it did.
// It returns when the Conn's goroutines have ended: at once, or after a second
// if the server that is asked does not answer.
func (c *client) close() (ended bool) {
	c.hosts.close()
	c.stop()
	l, _, _, _ := c.status()
	if l == nil {
		c.closeGuard() // there is nobody to say goodbye to
	}
	c.conn.Close()
	c.closeGuard()
	for range c.events {
	}
	return l != nil && l.replies.endOfSession()
}
