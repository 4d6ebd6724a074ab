package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs args as a shell would.
func start(t testing.TB, args ...string) *shelltest.Program { return shelltest.Start(t, run, args...) }

// try runs args to their end, and wants an exit code.
func try(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return start(t, args...).Finish(t, want)
}

// startRegistry runs a ZooKeeper, in which the directory exists or not, and returns its URL.
func startRegistry(t testing.TB, exists bool) (registry *zkdev.Server, url string) {
	t.Helper()
	registry, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	if exists {
		err = registry.Create("/go_servers", nil, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return registry, "zk://" + registry.Addr().String() + "/go_servers"
}

// register keeps n servers registered at url, and returns their addresses.
func register(t testing.TB, url string, n int) (addrs []string) {
	t.Helper()
	target, err := sd.ParseTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := zk.OpenBackend(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	for range n {
		addr := serve(t)
		registrar, err := sd.NewRegistrar(backend, addr, kitlog.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		registrar.Register()
		t.Cleanup(registrar.Deregister)
		addrs = append(addrs, addr)
	}
	return addrs
}

// serve runs a daytime server and returns its address.
func serve(t testing.TB) string {
	t.Helper()
	l := bind(t)
	addr := l.Addr().String()
	server := transport.NewDaytimeServer(endpoint.New(service.New(addr)), kitlog.NewNopLogger())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		if err := <-ended; !errors.Is(err, transport.ErrServerClosed) {
			t.Error(err)
		}
	})
	return addr
}

func bind(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// handle passes every connection to h, in a goroutine of its own, and returns the address.
func handle(t testing.TB, h func(net.Conn)) string {
	t.Helper()
	l := bind(t)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				h(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// reply is a handler that sends text and waits for the client to hang up.
func reply(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
	}
}

// silent is a handler that waits for the client to hang up.
func silent(conn net.Conn) { io.Copy(io.Discard, conn) }
