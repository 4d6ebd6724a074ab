package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/etcd/internal/cluster"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start connects to hosts for the time of a test.
func start(t testing.TB, hosts string, dial cluster.DialFunc) *cluster.Cluster {
	t.Helper()
	target, err := sd.ParseTarget("etcd://" + hosts)
	if err != nil {
		t.Fatal(err)
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	k := cluster.New(&cluster.Config{Hosts: target.Hosts, TTL: 2 * time.Second, Key: "/key"}, dial)
	k.Start()
	t.Cleanup(k.Close)
	return k
}

func Example() {
	k := cluster.New(&cluster.Config{
		Hosts: []sd.Host{{Name: "127.0.0.1", Port: 1}},
		TTL:   10 * time.Second,
		Key:   "/key",
	}, new(net.Dialer).DialContext)
	k.Start()
	defer k.Close()
	_, err := k.Get(context.Background())
	fmt.Println(errors.Is(err, cluster.ErrNoConn), err)
	// Output:
	// true no connection: 127.0.0.1:1: connect: connection refused
}

// One member that answers is found among others that refuse, hang, or say what is no answer, and
// another one when it is lost or silent.
func TestNextMember(t *testing.T) {
	c := etcdtest.StartCluster(t, 3)
	hang, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	k := start(t, strings.Join(append(c.Addrs(), "127.0.0.1:1", hang.Addr().String()), ","), nil)
	get := func() *cluster.Conn {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		n, err := k.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := get()
	for _, m := range c.Members() {
		if m.Addr() == n.Server() {
			m.Kill(t)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); !n.Over(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("killed: want the connection over within 10s")
		}
	}
	next := get()
	if next.Server() == n.Server() {
		t.Errorf("killed: want another member, have %s again", next.Server())
	}
	if err := next.Silent(); !errors.Is(err, cluster.ErrSilent) || !next.Over() {
		t.Errorf("silent: want %v and the connection over, have %v, %v", cluster.ErrSilent, err, next.Over())
	}
	if third := get(); third == next {
		t.Error("silent: want another connection, have the same")
	}
}

// A name has several addresses, each of which is tried; one that cannot be resolved does not hold
// up the others.
func TestNames(t *testing.T) {
	m := etcdtest.Start(t)
	_, port, err := net.SplitHostPort(m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, "nowhere.invalid:"+port+",localhost:"+port, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := k.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(n.Server(), "localhost:"+port+" (127.0.0.1") {
		t.Errorf("want localhost at its IPv4 address, have %s", n.Server())
	}
}

// While a lease may be saved no address takes long; afterwards the attempts become fewer.
func TestPace(t *testing.T) {
	dials := make(chan time.Time, 1000)
	k := start(t, "192.0.2.1", func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials <- time.Now()
		return nil, errors.New("no route")
	})
	<-time.After(3 * time.Second)
	if n := k.Dials(); n < 3 || n > 20 {
		t.Errorf("dials in 3 s: want 3 to 20, have %d", n)
	}
	if _, err := k.Current(); err == nil || !strings.Contains(err.Error(), "192.0.2.1:0: no route") {
		t.Errorf("want the reason, have %v", err)
	}
}
