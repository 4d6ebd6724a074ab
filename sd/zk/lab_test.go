package zk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zkdev"
)

// The instances of the tests.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
)

// A lab is a directory on a server in memory, in a bubble of virtual time. Its
// tests look into the package; those of the outside are in zk_test.
type lab struct {
	*zkdev.Server
	t      *testing.T
	target sd.Target
	net    network
}

// inLab runs f in a bubble with a fresh lab.
func inLab(t *testing.T, target string, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{Server: zkdev.New(), t: t, target: parse(t, target)}
		l.net.dial = l.Dial
		t.Cleanup(func() { l.Close() })
		if err := l.Create(defaultPath, nil, 0); err != nil {
			t.Fatal(err)
		}
		f(l)
	})
}

// parse parses what a test needs no error for.
func parse(t testing.TB, text string) sd.Target {
	t.Helper()
	target, err := sd.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// open opens a backend that is closed before the server is.
func (l *lab) open() *Backend {
	l.t.Helper()
	b, err := OpenBackend(l.target, Dial(l.net.DialContext))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { b.Close() })
	return b
}

// connected opens a backend and waits for its session.
func (l *lab) connected() (*Backend, *link) {
	l.t.Helper()
	b := l.open()
	return b, l.session(b, time.Second)
}

// session waits until b has a session.
func (l *lab) session(b *Backend, within time.Duration) *link {
	l.t.Helper()
	var have *link
	l.eventually(within, func() error {
		if have, _ = b.keeper.state(); have == nil || !have.alive() {
			return b.keeper.noSession()
		}
		return nil
	})
	return have
}

// eventually waits until f returns nil, and returns how long that took.
func (l *lab) eventually(within time.Duration, f func() error) time.Duration {
	l.t.Helper()
	start := time.Now()
	for {
		synctest.Wait()
		err := f()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > within {
			l.t.Fatalf("after %v: %v", within, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// pass lets virtual time pass.
func (l *lab) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A call is a Watch or an Announce under way.
type call struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the call has returned err
	err    error
}

// call starts f. It is ended, if it has not, when the test is.
func (l *lab) call(f func(ctx context.Context) error) *call {
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f(ctx)
	}()
	l.t.Cleanup(c.stop)
	return c
}

func (c *call) stop() {
	c.cancel()
	<-c.done
}

// ended returns the call's error, or nil while it goes on.
func (c *call) ended() error {
	synctest.Wait()
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// watch starts a Watch on b.
func (l *lab) watch(b *Backend) (*call, *sdtest.Recorder) {
	r := sdtest.NewRecorder()
	return l.call(func(ctx context.Context) error { return b.Watch(ctx, sd.Want{}, r.Emit) }), r
}

// shows waits until r shows just want.
func (l *lab) shows(r *sdtest.Recorder, within time.Duration, want ...string) time.Duration {
	l.t.Helper()
	slices.Sort(want)
	return l.eventually(within, func() error {
		if have, known := r.Set(); !known || !slices.Equal(want, have) {
			return fmt.Errorf("shown: want %q, have %q (known: %t)", want, have, known)
		}
		return r.Err()
	})
}

// announce starts an Announce on b, and waits until the instance is up.
func (l *lab) announce(b *Backend, instance string) *call {
	l.t.Helper()
	up := make(chan struct{})
	c := l.call(func(ctx context.Context) error {
		return b.Announce(ctx, sd.Entry{Instance: instance}, func(sd.Status) { close(up) })
	})
	select {
	case <-up:
	case <-c.done:
		l.t.Fatal(c.err)
	case <-time.After(5 * time.Second):
		l.t.Fatalf("announce %s: not up", instance)
	}
	return c
}

// A network makes connections, and knows which are open. Its zero value needs a
// dial. Fault, if there is one, decides on a dial: it may take its time, return
// an error, or a connection of its own.
type network struct {
	dial DialFunc

	mu        sync.Mutex
	addresses []string // that were dialled
	open      int
	most      int // that were ever open
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

// break sets the fault of the network.
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
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() {
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
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// mute returns a connection whose other end takes everything in and never
// answers, until it is closed.
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
