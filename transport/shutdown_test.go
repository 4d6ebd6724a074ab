package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/transport"
)

// A gate is a TCP listener that accepts nothing until Shutdown sets its first deadline.
type gate struct {
	*net.TCPListener
	enter, open     *sync.Once
	entered, opened chan struct{}
}

func newGate(t *testing.T) gate {
	l, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return gate{
		l.(*net.TCPListener),
		new(sync.Once), new(sync.Once),
		make(chan struct{}), make(chan struct{}),
	}
}

func (g gate) Accept() (net.Conn, error) {
	g.enter.Do(func() { close(g.entered) })
	<-g.opened
	return g.TCPListener.Accept()
}

func (g gate) SetDeadline(at time.Time) error {
	defer g.open.Do(func() { close(g.opened) })
	return g.TCPListener.SetDeadline(at)
}

// Connections that wait in the kernel's queue when Shutdown begins are served. Closing the listener
// would reset them.
func TestShutdownEmptiesTheAcceptQueue(t *testing.T) {
	const queued = 50
	l := newGate(t)
	server := transport.NewServer(say("now"), nil, encodeText)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	<-l.entered
	var conns []net.Conn
	for range queued {
		conn := dial(t, l.Addr().String())
		io.WriteString(conn, "timestamp")
		conns = append(conns, conn)
	}

	var clients sync.WaitGroup
	for _, conn := range conns {
		clients.Go(func() {
			if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
				t.Errorf("want now, have %q, %v", have, err)
			}
			conn.Close()
		})
	}
	if err := shutdownTimeout(server, bound); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if err := <-served; err != transport.ErrServerClosed {
		t.Errorf("want %v, have %v", transport.ErrServerClosed, err)
	}
	if _, err := ask(l.Addr().String(), ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("want a listener that is gone, have %v", err)
	}
}

// Under load, every connection that is established gets an answer: none is reset.
func TestShutdownUnderLoadResetsNobody(t *testing.T) {
	const rounds, clients = 4, 32
	var tests sync.WaitGroup
	for range rounds {
		tests.Go(func() {
			server := start(t, say("now"))
			var asking sync.WaitGroup
			var answers atomic.Int64
			for range clients {
				asking.Go(func() {
					for {
						have, err := ask(server.addr, "timestamp")
						if errors.Is(err, syscall.ECONNREFUSED) {
							return
						}
						if have != "now\r\n" || err != nil {
							t.Errorf("want now, have %q, %v", have, err)
							return
						}
						answers.Add(1)
					}
				})
			}
			within(t, "the fire", func() bool { return answers.Load() > 10*clients })
			if err := shutdownTimeout(server.Server, bound); err != nil {
				t.Error(err)
			}
			asking.Wait()
		})
	}
	tests.Wait()
}

func TestShutdownWaitsForHandlers(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	server := start(t, func(context.Context, any) (any, error) {
		close(begun)
		<-finish
		return "now", nil
	})
	conn := dial(t, server.addr)
	<-begun
	down := make(chan error, 1)
	go func() { down <- shutdownTimeout(server.Server, bound) }()
	if err := <-server.served; err != transport.ErrServerClosed {
		t.Errorf("want %v, have %v", transport.ErrServerClosed, err)
	}
	select {
	case err := <-down:
		t.Errorf("want Shutdown to wait, have %v", err)
	default:
	}
	close(finish)
	if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	conn.Close()
	if err := <-down; err != nil {
		t.Errorf("want a clean shutdown, have %v", err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	cancelled := make(chan error, 1)
	server := start(t, func(ctx context.Context, _ any) (any, error) {
		close(begun)
		<-ctx.Done()
		cancelled <- ctx.Err()
		<-finish // a handler that does not care
		return "now", nil
	})
	conn := dial(t, server.addr)
	<-begun
	wantIs(t, shutdownTimeout(server.Server, 50*time.Millisecond), context.DeadlineExceeded)
	if have := <-cancelled; have != context.Canceled {
		t.Errorf("want the request's context cancelled, have %v", have)
	}
	close(finish)
	if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	conn.Close()
	if err := shutdownTimeout(server.Server, bound); err != nil {
		t.Errorf("want a second Shutdown to wait for the end, have %v", err)
	}
}

func TestServeAfterShutdown(t *testing.T) {
	server := transport.NewServer(say("now"), nil, encodeText)
	for range 2 {
		if err := shutdownTimeout(server, bound); err != nil {
			t.Fatal(err)
		}
	}
	l, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(l); err != transport.ErrServerClosed {
		t.Errorf("want %v, have %v", transport.ErrServerClosed, err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("want the listener closed, have %v", err)
	}
}

func TestOneServerManyListeners(t *testing.T) {
	server := transport.NewServer(say("now"), nil, encodeText)
	served := make(chan error)
	var addrs []string
	for range 3 {
		l, err := transport.Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		go func() { served <- server.Serve(l) }()
	}
	for _, addr := range addrs {
		if have, err := ask(addr, "timestamp"); have != "now\r\n" || err != nil {
			t.Errorf("want now, have %q, %v", have, err)
		}
	}
	var downs sync.WaitGroup
	for range 3 { // Shutdown may be called by several at once
		downs.Go(func() {
			if err := shutdownTimeout(server, bound); err != nil {
				t.Error(err)
			}
		})
	}
	for range addrs {
		if err := <-served; err != transport.ErrServerClosed {
			t.Errorf("want %v, have %v", transport.ErrServerClosed, err)
		}
	}
	downs.Wait()
}
