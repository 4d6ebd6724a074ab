package transport

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/transport"
	kitlog "github.com/go-kit/log"
)

// A Server answers every connection with one reply of one endpoint. Its goroutines are those of
// Serve, which the caller starts, one per connection, and some that wait for the next one, all of
// which Shutdown awaits.
type Server struct {
	endpoint  kitendpoint.Endpoint
	dec       DecodeFunc
	enc       EncodeFunc
	before    []RequestFunc
	after     []RequestFunc
	finalizer []FinalizerFunc
	timeout   time.Duration
	linger    time.Duration
	limits    limits
	tls       TLSSource // nil is plain text
	reports   reporter  // to the error handler
	notices   notices
	metrics   ServerMetrics

	handshakes handshakes

	buffers  sync.Pool     // of *bytes.Buffer: the reply first, then the scratch space of the drain
	refusals chan struct{} // a slot for each connection above a limit
	next     chan net.Conn // to a goroutine that waits for one; see work
	waiting  atomic.Int64  // how many do

	// What follows is for Shutdown. Connections are counted and not listed: a list under a lock is
	// a cost for every one of them, and their deadlines end them all the same.
	ctx       context.Context // of every request, cancelled when Shutdown gives up
	giveUp    context.CancelFunc
	closing   chan struct{}              // closed when Shutdown begins
	idle      chan struct{}              // closed when nothing is busy any more
	busy      atomic.Int64               // loops, connections, goroutines; one until Shutdown
	mu        sync.Mutex                 // guards listeners, and the closing of closing
	listeners map[*net.Listener]struct{} // by pointer: a listener need not be comparable
}

// NewServer returns a server of e. A nil dec reads no request: the reply does not wait for one, the
// endpoint is called with a nil request, and the client's bytes are thrown away.
func NewServer(
	e kitendpoint.Endpoint, dec DecodeFunc, enc EncodeFunc, options ...ServerOption,
) *Server {
	conns, refusals := capacity(maxFiles(), 1)
	s := &Server{
		endpoint:  e,
		dec:       dec,
		enc:       enc,
		reports:   reporter{handler: transport.NewLogErrorHandler(kitlog.NewNopLogger())},
		timeout:   10 * time.Second,
		linger:    500 * time.Millisecond,
		limits:    limits{total: conns, from: map[netip.Prefix]int{}},
		refusals:  make(chan struct{}, refusals),
		metrics:   ServerMetrics{}.complete(),
		next:      make(chan net.Conn),
		closing:   make(chan struct{}),
		idle:      make(chan struct{}),
		listeners: map[*net.Listener]struct{}{},
	}
	s.notices.init(s)
	s.ctx, s.giveUp = context.WithCancel(context.Background())
	s.buffers.New = func() any { return bytes.NewBuffer(make([]byte, 0, scratchSize)) }
	s.busy.Store(1)
	for _, option := range options {
		option(s)
	}
	s.handshakes.init(s.limits.total)
	return s
}

// Serve accepts connections from l until Shutdown, which has to come, and returns ErrServerClosed
// then. It closes l in any case. A server may serve several listeners. An error of Accept ends
// Serve only when l is closed or broken; a shortage, of file descriptors for instance, is waited
// out.
func (s *Server) Serve(l net.Listener) error {
	if !s.track(&l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.untrack(&l)
	defer l.Close() // before Shutdown may return
	return s.accept(l)
}

// Connections returns how many connections are being served now, until their clients have hung up,
// and how many have been since the server was made. Those above a limit count in neither.
func (s *Server) Connections() (open int, served uint64) { return s.limits.counts() }

// Shutdown serves the connections that the kernel holds already, stops accepting, and waits for the
// handlers: no connection that was established is reset. A listener without SetDeadline, unlike a
// *net.TCPListener, is closed at once, and resets its queue. When ctx ends first, the contexts
// of the requests are cancelled and Shutdown returns the cause without waiting for the rest, which
// the deadline of each connection ends. It may be called again, to wait again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	select {
	case <-s.idle:
	case <-ctx.Done():
	}
	s.giveUp()
	if !s.isIdle() {
		return fmt.Errorf("transport: shutdown: %w", context.Cause(ctx))
	}
	s.notices.close()
	s.reports.wait(ctx)
	return nil
}

// isIdle reports whether the server is closing and no connection is served any more.
func (s *Server) isIdle() bool {
	select {
	case <-s.idle:
		return true
	default:
		return false
	}
}

// close begins the shutdown, once, and wakes the loops that block in Accept.
func (s *Server) close() {
	for _, l := range s.closeOnce() {
		wake(l)
	}
}

// closeOnce returns the listeners to wake, none from the second call on.
func (s *Server) closeOnce() []net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return nil
	}
	close(s.closing)
	s.done()
	var all []net.Listener
	for l := range s.listeners {
		all = append(all, *l)
	}
	return all
}

// isClosing reports whether Shutdown has begun.
func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// track counts the loop of l, unless the server is closing.
func (s *Server) track(l *net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return false
	}
	s.listeners[l] = struct{}{}
	s.busy.Add(1)
	return true
}

// untrack forgets a listener that is closed.
func (s *Server) untrack(l *net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.done()
}

// done undoes a busy.Add(1). A loop is busy as long as it may add a connection, so that zero
// is final.
func (s *Server) done() {
	if s.busy.Add(-1) == 0 {
		close(s.idle)
	}
}
