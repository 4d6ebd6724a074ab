package shelltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// StartRegistry runs a ZooKeeper for the length of the test, in which /go_servers exists or not,
// and returns its URL.
func StartRegistry(t testing.TB, exists bool) (registry *zkdev.Server, url string) {
	t.Helper()
	registry, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	if exists {
		Enter(t, registry)
	}
	return registry, "zk://" + registry.Addr().String() + "/go_servers"
}

// Enter makes the directory, unless it exists, and registers names in it for good.
func Enter(t testing.TB, registry *zkdev.Server, names ...string) {
	t.Helper()
	if err := registry.Create("/go_servers", nil, 0); err != nil && !errors.Is(err, zkdev.NodeExists) {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := registry.Create("/go_servers/"+name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Registered returns once the directory holds just want.
func Registered(t testing.TB, registry *zkdev.Server, want ...string) {
	t.Helper()
	slices.Sort(want)
	Eventually(t, func() error {
		have, err := registry.Children("/go_servers")
		if errors.Is(err, zkdev.NoNode) {
			err = nil
		}
		slices.Sort(have)
		if err == nil && !slices.Equal(want, have) {
			err = fmt.Errorf("want %q registered, have %q", want, have)
		}
		return err
	})
}

// Eventually returns once check returns nil.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(Bound)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-ticker.C
	}
}

// Serve runs a daytime server for the length of the test and returns its address.
func Serve(t testing.TB) string {
	t.Helper()
	return ServeListener(t, Listen(t))
}

// ServeListener is Serve on a listener of the caller, and closes that.
func ServeListener(t testing.TB, l net.Listener) string {
	t.Helper()
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

// Listen listens on a port that the system chooses. The caller closes it.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Ask returns the reply of the server at addr.
func Ask(ctx context.Context, addr string) (string, error) {
	set := endpoint.Set{DaytimeEndpoint: transport.NewDaytimeClient(addr).Endpoint()}
	return set.Daytime(ctx)
}
