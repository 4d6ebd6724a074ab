package zkdev

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// ErrServerClosed is what Serve and Dial return after Close.
var ErrServerClosed = errors.New("zkdev: server closed")

// A Server is one ZooKeeper. Its methods may be called from any goroutine.
//
// One mutex guards all state and is never held while anything waits: a request
// is applied, and what it causes is put into the queues of the connections,
// under one hold of it. So the order in every queue is the order of the
// changes.
type Server struct {
	tick  time.Duration
	began time.Time

	mu          sync.Mutex
	closed      bool
	tree        *tree
	watches     watches
	sessions    map[int64]*session
	lastSession int64
	conns       map[watcher]*conn
	listeners   map[net.Listener]struct{}
	reaper      *time.Timer // see scheduleReaping
	counters    counters
	faults      faults
	frozen      chan struct{} // closed by Thaw; nil when running

	wg sync.WaitGroup // every goroutine and every armed timer; Close waits for it
}

// An Option sets up a Server.
type Option func(*config)

type config struct{ tick time.Duration }

// TickTime is the unit of session timeouts: they are clamped to between 2 and
// 20 ticks, and sessions end on a tick. The default is 2 s.
func TickTime(d time.Duration) Option {
	return func(c *config) {
		if d > 0 {
			c.tick = d
		}
	}
}

// New returns a server with an empty tree. It does no I/O and starts nothing;
// Close ends what Serve, Dial and sessions start later.
func New(options ...Option) *Server {
	c := config{tick: 2 * time.Second}
	for _, option := range options {
		option(&c)
	}
	now := time.Now()
	return &Server{
		tick:        c.tick,
		began:       now,
		tree:        newTree(),
		watches:     newWatches(),
		sessions:    map[int64]*session{},
		lastSession: int64(uint64(now.UnixMilli()) << 24 >> 8),
		conns:       map[watcher]*conn{},
		listeners:   map[net.Listener]struct{}{},
		counters:    counters{requests: map[Op]int{}},
		faults:      newFaults(),
	}
}

// Start listens on a TCP address and serves there until Close. A port that is
// taken is an error. A listener that fails later is not reported: who needs to
// know calls Serve.
func Start(addr string, options ...Option) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := New(options...)
	s.listeners[l] = struct{}{}
	s.wg.Go(func() { s.Serve(l) })
	return s, nil
}

// Addr returns the address of a listener that is being served, or nil.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		return l.Addr()
	}
	return nil
}

// Serve accepts connections until the listener fails or Close is called; then
// it returns ErrServerClosed. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrServerClosed
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			return s.serveError(l, err)
		}
		if !s.start(nc) {
			nc.Close()
		}
	}
}

// listen takes a listener over, for Close to find.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.listeners[l] = struct{}{}
	}
	return !s.closed
}

// serveError tells a listener that Close has closed from one that failed.
func (s *Server) serveError(l net.Listener, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	if s.closed {
		return ErrServerClosed
	}
	return err
}

// Dial returns the client's end of a new connection in memory. It ignores
// network and addr; they are there so that it fits where a net.Dialer's
// DialContext does. After Close it returns ErrServerClosed.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	if !s.start(server) {
		return nil, ErrServerClosed
	}
	return client, nil
}

// start serves nc in goroutines of its own. It refuses when the server is
// closed.
func (s *Server) start(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.counters.dials++
	c := newConn(s, watcher(s.counters.dials), nc)
	c.hung = s.faults.hang
	if s.faults.refuse {
		nc.Close()
		return true
	}
	s.conns[c.id] = c
	c.handshakeTimer = s.after(handshakeTimeout, func() { s.onHandshakeTimeout(c) })
	s.wg.Go(c.run)
	return true
}

// onHandshakeTimeout ends a connection on which no session has come about.
func (s *Server) onHandshakeTimeout(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.session == nil && !c.hung {
		s.drop(c)
	}
}

// drop ends a connection at once. Its session goes on, its watches do not.
func (s *Server) drop(c *conn) {
	s.detach(c)
	c.close()
}

// detach takes a connection out of all tables. Calling it again does nothing.
func (s *Server) detach(c *conn) {
	if s.conns[c.id] != c {
		return
	}
	delete(s.conns, c.id)
	s.cancel(c.handshakeTimer)
	s.watches.forget(c.id)
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
	}
}

// Close ends all listeners, connections and sessions, and returns when their
// goroutines have ended. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	for _, c := range s.conns {
		s.drop(c)
	}
	for _, sess := range s.sessions {
		s.cancel(sess.timer)
	}
	clear(s.sessions)
	s.cancel(s.reaper)
	s.reaper = nil
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// commit runs one change: f, with the next zxid. When f fails, nothing happened
// but that the zxid is used up: a real server logs the failure as a change, so
// that all of an ensemble agree on it. The caller holds the lock.
func (s *Server) commit(x *txn, f func(*txn) Code) Code {
	s.tree.zxid++
	x.tree, x.zxid, x.now = s.tree, s.tree.zxid, time.Now().UnixMilli()
	code := f(x)
	if code != OK {
		x.rollback()
	}
	s.publish(x.changes)
	return code
}

// publish puts watch events into the queues of the connections. Nobody can see
// the change before: replies to later reads come after these events in the same
// queue. This is ZooKeeper's promise that a client learns of a change before it
// can see it.
func (s *Server) publish(changes []change) {
	s.faults.keepForLagging(changes)
	for _, c := range changes {
		s.deliver(s.watches.fire(c, s.upToDate))
	}
	s.scheduleReaping(changes)
}

// deliver queues watch events for their connections. Nobody hears of a znode
// that he may not read; the watch is spent all the same (ZooKeeper since 3.8.4,
// and Debian's 3.8.0, for CVE-2024-23944).
func (s *Server) deliver(list []delivery) {
	for _, d := range list {
		c := s.conns[d.to] // nil if an event before this was too much for it
		if c != nil && permits(d.acl, permRead, c.ids) && !s.faults.ignores(c) {
			s.send(c, eventFrame(d.event))
		}
	}
}

// send queues a frame for a client, or as much of it as comes before the
// connection is cut. One that has too much waiting for it is cut off.
func (s *Server) send(c *conn, frame []byte) {
	if c.mute {
		return
	}
	passed, end := s.pass(c, outward, len(frame))
	if passed > 0 {
		c.out.put(packet{frame[:passed], time.Now().Add(s.faults.delay)})
	}
	switch {
	case end:
		s.cutOff(c)
	case c.out.size() > maxQueued:
		s.drop(c)
	}
}

// cutOff ends a connection once what is queued is written. Nothing that its
// client has sent is handled any more.
func (s *Server) cutOff(c *conn) {
	c.mute, c.cut = true, true
	c.out.finish()
}
