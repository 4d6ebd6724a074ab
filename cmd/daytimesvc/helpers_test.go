package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd/zk/zkdev"
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

// registered returns once the directory holds just want.
func registered(t testing.TB, registry *zkdev.Server, want ...string) {
	t.Helper()
	slices.Sort(want)
	poll(t, func() error {
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

// poll returns once check returns nil.
func poll(t testing.TB, check func() error) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(shelltest.Bound)
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

// ask returns the reply of the server at addr.
func ask(ctx context.Context, addr string) (string, error) {
	set := endpoint.Set{DaytimeEndpoint: transport.NewDaytimeClient(addr).Endpoint()}
	return set.Daytime(ctx)
}

// freePort returns an address on which a program can be started. It is below the ports that systems lend to outgoing
// connections, so that it stays free while nobody listens.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
