package scale

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

const (
	sessionTimeout = 10 * time.Second
	bound          = 60 * time.Second // on everything that is waited for
	registrants    = 4                // sessions that fill a directory
	perMulti       = 250              // nodes that one request creates
)

// instance is the k-th of many.
func instance(k int) string { return fmt.Sprintf("10.%d.%d.%d:8897", k>>16&255, k>>8&255, k&255) }

// sizes runs f for small, large and very large fleets.
func sizes(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) { f(b, n) })
	}
}

// A fleet is a ZooKeeper with registered instances, and a connection that makes changes. The nodes
// are persistent: a watcher cannot tell, and they do not depend on the sessions that made them.
type fleet struct {
	server *zktest.Server
	conn   *gozk.Conn
	n      int // instances in each directory
}

// newFleet starts a server. Its heap takes half a million nodes, and no snapshot is written while
// it is measured.
func newFleet(tb testing.TB, n int) *fleet {
	tb.Setenv("_JAVA_OPTIONS", "-Xmx1g")
	server := zktest.Start(tb, zktest.Config("snapCount=100000000",
		fmt.Sprintf("maxSessionTimeout=%d", viewerTimeout.Milliseconds())))
	return &fleet{server: server, conn: connect(tb, server.Addr()), n: n}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// connect returns a connection with a session, closed at the end of the test.
func connect(tb testing.TB, addr string) *gozk.Conn {
	conn, end := dial(tb, addr, net.DialTimeout, nil)
	tb.Cleanup(end)
	return conn
}

// dial returns a connection with a session, and what ends both.
func dial(
	tb testing.TB, addr string, dialer gozk.Dialer, callback gozk.EventCallback,
) (conn *gozk.Conn, end func()) {
	tb.Helper()
	conn, events, err := gozk.Connect([]string{addr}, sessionTimeout,
		gozk.WithLogger(silent{}), gozk.WithDialer(dialer), gozk.WithEventCallback(callback))
	if err != nil {
		tb.Fatal(err)
	}
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for conn.State() != gozk.StateHasSession {
		select {
		case <-events:
		case <-timeout.C:
			tb.Fatalf("no session with %s", addr)
		}
	}
	return conn, func() {
		conn.Close()
		for range events {
		}
	}
}

// directory makes a directory of the fleet's size, whose nodes hold their address as go-kit's
// registrar has it.
func (f *fleet) directory(tb testing.TB, path string) {
	tb.Helper()
	if _, err := f.conn.Create(path, nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		tb.Fatal(err)
	}
	requests := make(chan []any, registrants)
	var running sync.WaitGroup
	var failures [registrants]error
	for i := range registrants {
		conn, end := dial(tb, f.server.Addr(), net.DialTimeout, nil)
		running.Go(func() {
			defer end()
			for creates := range requests {
				_, err := conn.Multi(creates...)
				failures[i] = errors.Join(failures[i], err)
			}
		})
	}
	for ks := range slices.Chunk(count(f.n), perMulti) {
		requests <- creates(path, ks)
	}
	close(requests)
	running.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		tb.Fatalf("fill %s: %v", path, err)
	}
}

// count returns 0, 1, …, n-1.
func count(n int) []int {
	ks := make([]int, n)
	for k := range ks {
		ks[k] = k
	}
	return ks
}

func creates(path string, ks []int) []any {
	var list []any
	for _, k := range ks {
		list = append(list, &gozk.CreateRequest{
			Path: path + "/" + instance(k),
			Data: []byte(instance(k)),
			Acl:  gozk.WorldACL(gozk.PermAll),
		})
	}
	return list
}

// A change adds an instance to a directory, or takes it away.
type change struct {
	path     string
	instance string
	up       bool
}

// apply makes c happen, and returns when that was asked for and when it was acknowledged.
func (f *fleet) apply(tb testing.TB, c change) (sent, acked time.Time) {
	tb.Helper()
	node := c.path + "/" + c.instance
	var err error
	sent = time.Now()
	if c.up {
		_, err = f.conn.Create(node, []byte(c.instance), 0, gozk.WorldACL(gozk.PermAll))
	} else {
		err = f.conn.Delete(node, -1)
	}
	acked = time.Now()
	if err != nil {
		tb.Errorf("%+v: %v", c, err)
	}
	return sent, acked
}
