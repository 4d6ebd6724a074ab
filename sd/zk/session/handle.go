package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/zk/session/internal/hosts"
	"example.com/daytime/sd/zk/session/internal/wire"
	gozk "github.com/go-zookeeper/zk"
)

// maxQueued is how long a request waits for the next connection, when it was asked for in the
// moment in which the last one went down. Then it fails before the next dial.
const maxQueued = 10 * time.Second

// A handle is one go-zookeeper Conn: a sequence of connections which, as long as ZooKeeper grants
// it, belong to one session. It goes on by itself after an expiry, with a new session.
type handle struct {
	session *Session
	conn    *gozk.Conn
	events  <-chan gozk.Event // closed when conn has ended
	plan    *hosts.Plan
	ctx     context.Context
	stop    context.CancelFunc // ends dials under way
	asking  atomic.Int64       // requests that have not returned
	urgent  signal             // the next dial does not wait

	mu       sync.Mutex
	guard    *wire.Guard          // the current or last connection
	server   hosts.Server         // of guard
	shaking  bool                 // the handshake of guard is under way
	last     wire.Handshake       // of guard, if it was answered
	timeout  time.Duration        // as negotiated, or as asked for before that
	up       *Conn                // nil while there is no session
	mayLive  bool                 // a session was granted, and nobody said that it ended
	lost     time.Time            // when the last Conn went down, or the handle began
	refused  time.Time            // when a server last closed a connection in place of an answer
	refusals map[string]time.Time // the same by server, since the last session
	denials  int                  // Conns, one after the other, that ended by a denial
	failure  error                // why there is no session
	doing    string               // what is waited for, in place of a failure
	closed   bool
}

// newHandle connects in the background.
func newHandle(s *Session) *handle {
	ctx, stop := context.WithCancel(context.Background())
	h := &handle{
		session:  s,
		plan:     hosts.NewPlan(s.resolver),
		ctx:      ctx,
		stop:     stop,
		urgent:   newSignal(),
		timeout:  s.config.Timeout,
		lost:     time.Now(),
		refusals: map[string]time.Time{},
	}
	h.mu.Lock() // the callback may be called before conn is known
	defer h.mu.Unlock()
	var err error
	h.conn, h.events, err = gozk.Connect([]string{"zookeeper"}, s.config.Timeout,
		gozk.WithDialer(h.dial),
		gozk.WithHostProvider(provider{h}),
		gozk.WithEventCallback(h.event),
		gozk.WithMaxBufferSize(wire.MaxFrame),
		gozk.WithLogger(silent{}),
		gozk.WithLogInfo(false),
	)
	if err != nil { // that of no hosts, or of the provider's Init: there is none
		panic(fmt.Sprintf("session: %v", err))
	}
	return h
}

// silent drops what go-zookeeper logs: every failure comes back as an error.
type silent struct{}

func (silent) Printf(string, ...any) {}

func (h *handle) closeGuard() {
	h.mu.Lock()
	g := h.guard
	h.mu.Unlock()
	if g != nil {
		g.Close()
	}
}

// onHandshake takes in how the handshake with a server ended.
func (h *handle) onHandshake(to hosts.Server, shake wire.Handshake) {
	name := to.String()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.shaking = shake, false
	switch {
	case shake.Refused:
		h.refused = time.Now()
		h.refusals[name] = h.refused
		h.failedLocked(to, fmt.Errorf("%s: %s", name, h.session.config.refusal()))
	case errors.Is(shake.Err, os.ErrDeadlineExceeded):
		h.failedLocked(to,
			fmt.Errorf("%s: handshake: no answer in time: %w", name, os.ErrDeadlineExceeded))
	case shake.Err != nil:
		h.failedLocked(to, fmt.Errorf("%s: handshake: %w", name, shake.Err))
	case shake.Session == 0:
		h.failure = fmt.Errorf("%s: %w", name, gozk.ErrSessionExpired)
		h.noteExpiryLocked()
		h.hurry(name)
	default:
		h.timeout, h.failure = shake.Timeout, nil
		clear(h.refusals)
		h.plan.Success()
	}
}

// noteExpiryLocked notes that the session has ended, if there was one.
func (h *handle) noteExpiryLocked() {
	if h.mayLive {
		h.mayLive = false
		h.session.config.Expired()
	}
}

// hurry has that server, which is known to be well, dialled next, and at once.
func (h *handle) hurry(server string) {
	h.plan.Prefer(server)
	h.urgent.set()
}

// retry is hurry, and gives up a handshake that was under way before: since it began, the server
// has granted a session to the probe, and this it has lost.
func (h *handle) retry(server string) {
	h.mu.Lock()
	var before *wire.Guard
	if h.shaking {
		before = h.guard
	}
	h.mu.Unlock()
	h.hurry(server) // from here on h.guard may be that of the hurried dial
	if before != nil {
		before.Close()
	}
}

// dialFailed notes that there is no connection. One that was closed before it was known here is no
// proof that the server has seen less than this session: it has not been told.
func (h *handle) dialFailed(to hosts.Server, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, errClosedAtOnce) {
		h.refused = time.Now()
	}
	h.failedLocked(to, err)
}

// failedLocked notes why a server gave no session. When every server has failed since the last
// session, a denial slows the dials down; but not as long as there is a session to be saved: it may
// be over in a moment, as when a server loads another certificate.
func (h *handle) failedLocked(to hosts.Server, err error) {
	h.failure = err
	if errors.Is(err, os.ErrDeadlineExceeded) { // of a handshake, TLS's included
		h.plan.TimedOut()
	}
	if h.plan.Failure(to) && errors.Is(err, ErrDenied) && !h.savingLocked() {
		h.session.limiter.Denied()
	}
}

// noteDenialLocked notes why up is down, if its server grants sessions and denies what is asked for
// in them. Once each server had its turn and denied it, that slows the dials down.
func (h *handle) noteDenialLocked(up *Conn) {
	why := up.Err()
	if !errors.Is(why, ErrDenied) {
		h.denials = 0
		return
	}
	h.failure = why
	if h.denials++; h.denials > h.plan.Size() {
		h.session.limiter.Denied()
	}
}

// noteWaiting notes what is waited for now, for reason. It does not wait.
func (h *handle) noteWaiting(what string, to hosts.Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doing = fmt.Sprintf("%v: %s", to, what)
}

// reason says why there is no session: the last failure, or what is waited for as long as there is
// none.
func (h *handle) reason() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.failure != nil:
		return fmt.Errorf("%w: %w", ErrNoSession, h.failure)
	case h.doing != "":
		return fmt.Errorf("%w: %s", ErrNoSession, h.doing)
	default:
		return fmt.Errorf("%w: looking up the servers", ErrNoSession)
	}
}

// saving reports whether there is a session that may live yet. It is asked while there is no
// connection: before a dial, in one, and after one that failed.
func (h *handle) saving() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.savingLocked()
}

// savingLocked is saving for a caller that holds the lock.
func (h *handle) savingLocked() bool { return h.mayLive && time.Since(h.lost) < h.timeout }

// mustFlush reports whether go-zookeeper is to fail what is queued, and to look whether it was
// closed. It pauses for a second then. A queued request was asked for in the moment in which the
// connection went down, since a Conn that is down takes no more requests: so that is rare, and
// waits until there is no session to be saved.
func (h *handle) mustFlush() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	queued := h.asking.Load() > 0 && time.Since(h.lost) > min(h.timeout, maxQueued)
	return h.closed || queued
}

// event is go-zookeeper's callback. It must not block, nor call the library.
func (h *handle) event(e gozk.Event) {
	h.mu.Lock()
	up := h.up
	switch {
	case e.Type != gozk.EventSession:
	case e.State == gozk.StateHasSession:
		h.mayLive = true
		h.up = &Conn{
			Session:  h.last.Session,
			Server:   h.server.String(),
			handle:   h,
			since:    time.Now(),
			requests: h.guard.Requests,
			down:     make(chan struct{}),
		}
	case e.State == gozk.StateDisconnected && up != nil:
		close(up.down)
		h.up, h.lost, h.doing = nil, time.Now(), up.Server+": connection lost"
		h.noteDenialLocked(up)
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
	timeout       time.Duration
}

func (h *handle) status() status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return status{h.up, h.lost, h.refused, h.timeout}
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
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.stop()
	up := h.status().up
	if up == nil {
		h.closeGuard() // no server can be asked
	}
	h.conn.Close()
	h.closeGuard()
	for range h.events {
	}
	return up != nil && up.requests.EndedSession()
}
