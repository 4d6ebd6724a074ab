package zkdev

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// ErrServerClosed is returned by Serve and Dial after Close, and while the server is stopped.
var ErrServerClosed = errors.New("zkdev: server closed")

// A Server is one ZooKeeper. Its methods may be called from any goroutine.
//
// One mutex guards all state and is never held while anything waits: a request is applied, and what
// it causes is put into the queues of the connections, under one hold of it. So the order in every
// queue is the order of the changes.
type Server struct {
	config
	began time.Time

	mu          sync.Mutex
	closed      bool
	stopped     bool // see Stop
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

	lifecycle sync.Mutex     // held by Stop and Restart; taken before mu
	addrs     []string       // where Start listened, for Restart
	wg        sync.WaitGroup // every goroutine and every armed timer; Close waits for it
}

// An Option sets up a Server.
type Option func(*config)

type config struct {
	tick         time.Duration
	reapInterval time.Duration
	firstZxid    int64
}

// TickTime is the unit of session timeouts: they are clamped to between 2 and 20 ticks, and
// sessions end on a tick. The default is 2 s; a duration that is not positive means the default.
func TickTime(d time.Duration) Option {
	return func(c *config) {
		if d > 0 {
			c.tick = d
		}
	}
}

// ReapInterval is how often containers that became empty, and znodes whose lifetime has passed, are
// removed. The default is a minute, as in ZooKeeper (znode.container.checkIntervalMs); a duration
// that is not positive means the default.
func ReapInterval(d time.Duration) Option {
	return func(c *config) {
		if d > 0 {
			c.reapInterval = d
		}
	}
}

// FirstZxid is the zxid of the empty tree; the first change has the next one. The default is taken
// from the clock, as the leader of an ensemble begins a new epoch: it is above every zxid of a
// server that was made earlier, since no server makes a million changes in a millisecond. So a
// client that knew an earlier server at the same address is not sent away for having seen more
// changes than there are; it is only told that its session is gone.
func FirstZxid(zxid int64) Option { return func(c *config) { c.firstZxid = zxid } }

// zxidsPerMilli is a power of two, so that the upper half of a zxid is an epoch of four seconds.
const zxidsPerMilli = 1 << 20

// New returns a server with an empty tree. It does no I/O and starts nothing; Close ends what
// Serve, Dial and sessions start later.
func New(options ...Option) *Server {
	now := time.Now()
	c := config{
		tick:         2 * time.Second,
		reapInterval: time.Minute,
		firstZxid:    now.UnixMilli() * zxidsPerMilli,
	}
	for _, option := range options {
		option(&c)
	}
	return &Server{
		config:      c,
		began:       now,
		tree:        newTree(c.firstZxid),
		watches:     newWatches(),
		sessions:    map[int64]*session{},
		lastSession: int64(uint64(now.UnixMilli()) << 24 >> 8),
		conns:       map[watcher]*conn{},
		listeners:   map[net.Listener]struct{}{},
		counters:    counters{requests: map[Op]int{}},
		faults:      newFaults(),
	}
}

// Dial returns the client's end of a new connection in memory. It ignores network and addr; they
// are there so that it fits where a net.Dialer's DialContext does. It does not block. After Close,
// and while the server is stopped, it returns ErrServerClosed.
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

// start serves nc in goroutines of its own. It refuses when the server is closed or stopped.
func (s *Server) start(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stopped {
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
	s.awaitHandshake(c)
	s.wg.Go(c.run)
	return true
}

// awaitHandshake ends a connection on which no session comes about in time. A frozen server waits
// as often as it takes.
func (s *Server) awaitHandshake(c *conn) {
	c.handshakeTimer = s.after(handshakeTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.conns[c.id] != c || c.session != nil || c.hung:
		case s.frozen != nil:
			s.awaitHandshake(c)
		default:
			s.drop(c)
		}
	})
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

// commit runs one change: f, with the next zxid. When f fails, nothing happened but that the zxid
// is used up: a real server logs the failure as a change, so that all of an ensemble agree on it.
// The caller holds the lock.
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

// publish puts watch events into the queues of the connections. No client can see the change before
// that: replies to later reads come after these events in the same queue. This is ZooKeeper's
// promise that a client learns of a change before it can see it.
func (s *Server) publish(changes []change) {
	s.faults.keepForLagging(changes)
	for _, c := range changes {
		s.deliver(s.watches.fire(c, s.upToDate))
	}
	s.scheduleReaping(changes)
}

// deliver queues watch events for their connections. A client is not told of a znode that it may
// not read; the watch is used up all the same. ZooKeeper does so since 3.8.4, and Debian's 3.8.0
// too, for CVE-2024-23944: before, a persistent watch told the names of znodes to a client that
// could not list them.
func (s *Server) deliver(list []delivery) {
	for _, d := range list {
		c := s.conns[d.to] // nil if the connection was cut off at an event before this one
		if c != nil && permits(d.acl, permRead, c.ids) && !s.faults.ignores(c) {
			s.send(c, eventFrame(d.event))
		}
	}
}

// send queues a frame for a client, or as much of it as comes before the connection is cut. One
// that has too much waiting for it is cut off.
func (s *Server) send(c *conn, frame []byte) {
	if c.mute {
		return
	}
	c.stats.sent++
	s.counters.sent++
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

// cutOff ends a connection once what is queued is written. Nothing that its client has sent is
// handled any more, and nothing more is queued: to the client the server has died at this byte.
func (s *Server) cutOff(c *conn) {
	c.mute, c.cut = true, true
	c.finish()
}
