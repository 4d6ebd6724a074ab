package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// directory is a node that every lab has.
const directory = "/directory"

// Hosts of labs. The session timeout is 4 s.
var (
	one   = []string{"zookeeper.example.com:2181"}
	three = []string{"a.example.com:2181", "b.example.com:2181", "c.example.com:2181"}
)

// A lab is a ZooKeeper in memory, in a bubble of virtual time.
type lab struct {
	*zkdev.Server
	t      *testing.T
	config Config
	net    network
}

// inLab runs f in a bubble with a fresh lab.
func inLab(t *testing.T, hosts []string, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{Server: zkdev.New(), t: t}
		l.net.dial = l.Dial
		l.config = Config{Hosts: hosts, Timeout: 4 * time.Second, Dial: l.net.DialContext}
		t.Cleanup(func() { l.Close() })
		if err := l.Create(directory, nil, 0); err != nil {
			t.Fatal(err)
		}
		f(l)
	})
}

// start starts a session that is closed before the server is.
func (l *lab) start() *Session {
	l.t.Helper()
	s, err := New(l.config)
	if err != nil {
		l.t.Fatal(err)
	}
	s.Start(nil)
	l.t.Cleanup(func() { s.Close() })
	return s
}

// connected starts a session and waits for it.
func (l *lab) connected() (*Session, *Conn) {
	l.t.Helper()
	s := l.start()
	return s, l.conn(s, time.Second)
}

// conn waits until s has a Conn that is up.
func (l *lab) conn(s *Session, within time.Duration) *Conn {
	l.t.Helper()
	var have *Conn
	l.eventually(within, func() error {
		if have, _ = s.Conn(); have == nil || have.Err() != nil {
			return s.noSession()
		}
		return nil
	})
	return have
}

// eventually waits until f returns nil, and returns how long that took.
func (l *lab) eventually(within time.Duration, f func() error) time.Duration {
	l.t.Helper()
	return wait.InBubble(l.t, within, f)
}

// faulty makes dials to the given hosts end in a fault.
func (l *lab) faulty(fault func(ctx context.Context) (net.Conn, error), names ...string) {
	l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
		for _, name := range names {
			if strings.HasPrefix(address, name+".") {
				return fault(ctx)
			}
		}
		return nil, nil
	})
}

// offline returns a session that never gets anywhere.
func offline(t *testing.T) *Session {
	t.Helper()
	s, err := New(Config{Hosts: one, Dial: blackHole})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(nil)
	return s
}

func atLeast(what string, want, have int) error {
	if have < want {
		return fmt.Errorf("%s: want %d at least, have %d", what, want, have)
	}
	return nil
}

func want(have bool, what string) error {
	if !have {
		return fmt.Errorf("want %s, have none", what)
	}
	return nil
}

// A network makes connections, and knows which are open. Its zero value needs a dial. Fault, if
// there is one, decides on a dial: it may take its time, return an error, or a connection of its
// own.
type network struct {
	dial DialFunc

	mu        sync.Mutex
	addresses []string // that were dialled
	open      int
	most      int           // that were ever open
	slow      time.Duration // for every 16 KiB that a connection brings
	fault     func(ctx context.Context, address string) (net.Conn, error)
}

func (n *network) DialContext(ctx context.Context, kind, address string) (net.Conn, error) {
	n.mu.Lock()
	n.addresses = append(n.addresses, address)
	fault := n.fault
	n.mu.Unlock()
	if fault != nil {
		if conn, err := fault(ctx, address); conn != nil || err != nil {
			return n.count(conn), err
		}
	}
	conn, err := n.dial(ctx, kind, address)
	return n.count(conn), err
}

// fail sets the fault of the network.
func (n *network) fail(fault func(ctx context.Context, address string) (net.Conn, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = fault
}

// count returns conn such that the network knows when it is closed.
func (n *network) count(conn net.Conn) net.Conn {
	if conn == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	n.most = max(n.most, n.open)
	return &countedConn{Conn: conn, slow: n.slow, left: 16 << 10, closed: sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.open--
	})}
}

// opened returns how many connections are open, and were at most.
func (n *network) opened() (now, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open, n.most
}

// dialled returns the addresses that were dialled.
func (n *network) dialled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.addresses)
}

type countedConn struct {
	net.Conn
	closed func()
	slow   time.Duration
	left   int // until the next pause
}

func (c *countedConn) Read(b []byte) (int, error) {
	if c.slow == 0 {
		return c.Conn.Read(b)
	}
	if c.left == 0 {
		c.left = 16 << 10
		time.Sleep(c.slow)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// mute returns a connection whose other end takes everything in and never answers, until it is
// closed.
func mute() net.Conn {
	client, server := net.Pipe()
	go func() {
		b := make([]byte, 1024)
		for {
			if _, err := server.Read(b); err != nil {
				server.Close()
				return
			}
		}
	}()
	return client
}

// errTest is a failure that a test brings about.
var errTest = errors.New("by test")

// blackHole dials a host that does not answer.
func blackHole(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
