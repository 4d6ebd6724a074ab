package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// A handle is one go-zookeeper Conn: a sequence of connections which, as long as ZooKeeper grants
// it, belong to one session. It goes on by itself after an expiry, with a new session.
type handle struct {
	session *Session
	conn    *gozk.Conn
	events  <-chan gozk.Event // closed when conn has ended
	hosts   *hosts
	ctx     context.Context
	stop    context.CancelFunc // ends dials under way

	mu       sync.Mutex
	guard    *guard        // the current or last connection
	last     handshake     // of guard, if it was answered
	timeout  time.Duration // as negotiated, or as asked for before that
	up       *Conn         // nil while there is no session
	held     bool          // there was a session
	lost     time.Time     // when the last Conn went down, or the handle began
	refused  time.Time     // when a server last closed a connection in place of an answer
	refusals map[string]time.Time
	failure  error // why there is no session
}

// newHandle connects in the background.
func newHandle(s *Session) *handle {
	ctx, stop := context.WithCancel(context.Background())
	h := &handle{
		session:  s,
		hosts:    &hosts{},
		ctx:      ctx,
		stop:     stop,
		timeout:  s.config.Timeout,
		lost:     time.Now(),
		refusals: map[string]time.Time{},
	}
	h.mu.Lock() // the callback may be called before conn is known
	defer h.mu.Unlock()
	var err error
	h.conn, h.events, err = gozk.Connect(s.config.Hosts, s.config.Timeout,
		gozk.WithDialer(h.dial),
		gozk.WithHostProvider(h.hosts),
		gozk.WithEventCallback(h.event),
		gozk.WithMaxBufferSize(maxFrame),
		gozk.WithLogger(silent{}),
		gozk.WithLogInfo(false),
	)
	if err != nil { // that of no hosts, which New refuses, or of hosts.Init, which has none
		panic(fmt.Sprintf("session: %v", err))
	}
	return h
}

// silent drops what go-zookeeper logs: every failure comes back as an error.
type silent struct{}

func (silent) Printf(string, ...any) {}

// dial is go-zookeeper's dialer. It runs in the Conn's own goroutine.
func (h *handle) dial(network, address string, _ time.Duration) (net.Conn, error) {
	h.closeGuard() // go-zookeeper leaves it open after an expiry
	if err := h.session.limiter.wait(h.ctx); err != nil {
		return nil, err
	}
	h.session.dials.Add(1)
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	conn, err := h.connect(ctx, network, address)
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.failed(address, err)
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	onHandshake := func(shake handshake) { h.onHandshake(address, shake) }
	h.guard = newGuard(conn, h.hosts.handshakeTimeout(h.timeout), onHandshake)
	return h.guard, nil
}

// connect opens a connection, with TLS and credentials if they are configured. TLS has a second,
// and after rounds in vain the time of a handshake: many clients at once must not keep a server
// busy with what none of them waits for.
func (h *handle) connect(ctx context.Context, network, address string) (net.Conn, error) {
	config := h.session.config
	secret, err := config.secret()
	if err != nil {
		return nil, err
	}
	conn, err := config.Dial(ctx, network, address)
	if err == nil && config.TLS.used() {
		ctx, cancel := context.WithTimeout(h.ctx, max(dialTimeout, h.handshakeTimeout()))
		defer cancel()
		conn, err = config.TLS.secure(ctx, conn, address)
	}
	if err != nil || secret == nil {
		return conn, err
	}
	return &authConn{Conn: conn, secret: secret}, nil
}

func (h *handle) handshakeTimeout() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hosts.handshakeTimeout(h.timeout)
}

func (h *handle) closeGuard() {
	h.mu.Lock()
	g := h.guard
	h.mu.Unlock()
	if g != nil {
		g.Close()
	}
}

// onHandshake takes in how a handshake ended.
func (h *handle) onHandshake(server string, shake handshake) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = shake
	switch {
	case shake.refused:
		h.refused = time.Now()
		h.refusals[server] = h.refused
		h.failed(server, fmt.Errorf("%s: %w", server, errRefused))
	case shake.err != nil:
		h.failed(server, fmt.Errorf("%s: handshake: %w", server, shake.err))
	case shake.session == 0:
		h.failure = fmt.Errorf("%s: %w", server, gozk.ErrSessionExpired)
	default:
		h.timeout, h.failure = shake.timeout, nil
		h.session.limiter.accepted()
	}
}

// failed notes why there is no session. The caller holds the lock. A denial does not slow the dials
// down as long as there may be a session to save: it may be over in a moment, as when a server
// loads another certificate.
func (h *handle) failed(server string, err error) {
	h.failure = err
	if mayLive := h.held && time.Since(h.lost) < h.timeout; !mayLive {
		h.session.limiter.failed(server, errors.Is(err, ErrDenied))
	}
}

// event is go-zookeeper's callback. It must not block, nor call the library.
func (h *handle) event(e gozk.Event) {
	h.mu.Lock()
	up := h.up
	switch {
	case e.Type != gozk.EventSession:
	case e.State == gozk.StateHasSession:
		h.held = true
		h.up = &Conn{
			Conn:    h.conn,
			Session: h.last.session,
			Server:  e.Server,
			session: h.session,
			since:   time.Now(),
			replies: h.guard.replies,
			down:    make(chan struct{}),
		}
	case e.State == gozk.StateDisconnected && up != nil:
		close(up.down)
		h.up, h.lost = nil, time.Now()
	}
	h.mu.Unlock()
	if e.Type == gozk.EventSession {
		h.session.wake.set()
	} else if up != nil {
		h.session.events(up, e)
	}
}

// A status is what the session's state machine looks at.
type status struct {
	up            *Conn
	lost, refused time.Time
	failure       error
	timeout       time.Duration
}

func (h *handle) status() status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return status{h.up, h.lost, h.refused, h.failure, h.timeout}
}

// refusedBy returns when server last closed a connection in place of an answer.
func (h *handle) refusedBy(server string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refusals[server]
}

// close ends the session if a server can be reached, and reports whether the server confirmed it.
// It returns when the library's goroutines have ended: at once, or after a second if the server
// that is asked does not answer.
func (h *handle) close() (confirmed bool) {
	h.hosts.close()
	h.stop()
	up := h.status().up
	if up == nil {
		h.closeGuard() // no server can be asked
	}
	h.conn.Close()
	h.closeGuard()
	for range h.events {
	}
	return up != nil && up.replies.endOfSession()
}
