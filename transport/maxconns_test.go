package transport_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"

	"example.com/daytime/transport"
)

// held is an endpoint that says when it was entered and waits to be released.
func held() (e kitendpoint.Endpoint, entered, release chan struct{}) {
	entered, release = make(chan struct{}, 100), make(chan struct{})
	return func(context.Context, any) (any, error) {
		entered <- struct{}{}
		<-release
		return "now", nil
	}, entered, release
}

// dialFrom connects from an address of the loopback network.
func dialFrom(t *testing.T, source, addr string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(bound))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantRefused checks that a connection ends cleanly and without a byte, though the client talks,
// and says when.
func wantRefused(t *testing.T, conn net.Conn) (took time.Duration) {
	t.Helper()
	begin := time.Now()
	io.WriteString(conn, "timestamp")
	if have, err := io.ReadAll(conn); string(have) != "" || err != nil {
		t.Errorf("want a clean end without a reply, have %q, %v", have, err)
	}
	took = time.Since(begin)
	conn.Close()
	return took
}

func wantNow(t *testing.T, conn net.Conn) {
	t.Helper()
	if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	conn.Close()
}

func TestMaxConns(t *testing.T) {
	endpoint, entered, release := held()
	server := start(t, endpoint, transport.MaxConns(2))
	first, second := dial(t, server.addr), dial(t, server.addr)
	<-entered
	<-entered
	fastest := bound
	for range 20 {
		fastest = min(fastest, wantRefused(t, dial(t, server.addr)))
	}
	if fastest > 50*time.Millisecond {
		t.Errorf("want the end at once, without the time for a drain, have %v at best", fastest)
	}
	if open, served := server.Connections(); open != 2 || served != 2 {
		t.Errorf("want the two that are being served counted, have %d open, %d in all", open, served)
	}
	close(release)
	wantNow(t, first)
	wantNow(t, second)
	within(t, "room for another", func() bool {
		have, _ := ask(server.addr, "")
		return have == "now\r\n"
	})
	within(t, "no connection left", func() bool {
		open, served := server.Connections()
		return open == 0 && served >= 3
	})
}

func TestMaxConnsPerIP(t *testing.T) {
	endpoint, entered, release := held()
	server := start(t, endpoint, transport.MaxConnsPerIP(1))
	first := dialFrom(t, "127.0.0.1", server.addr)
	<-entered
	wantRefused(t, dialFrom(t, "127.0.0.1", server.addr))
	neighbour := dialFrom(t, "127.0.0.2", server.addr)
	<-entered
	wantRefused(t, dialFrom(t, "127.0.0.2", server.addr))
	close(release)
	wantNow(t, first)
	wantNow(t, neighbour)
}

// A connection above the limit that does not hang up ends after refusalTimeout, not after Linger.
func TestRefusedConnectionIsDrainedBriefly(t *testing.T) {
	endpoint, entered, release := held()
	server := start(t, endpoint, transport.MaxConns(1), transport.Linger(time.Hour))
	first := dial(t, server.addr)
	<-entered
	begin := time.Now()
	refused := dial(t, server.addr)
	for {
		if _, err := io.WriteString(refused, "x"); err != nil {
			break // reset, because it did not leave
		}
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(begin); took < 50*time.Millisecond || took > bound/2 {
		t.Errorf("want an end after 100ms, have %v", took)
	}
	close(release)
	wantNow(t, first)
}
