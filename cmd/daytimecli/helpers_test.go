package main

import (
	"testing"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs args as a shell would.
func start(t testing.TB, args ...string) *shelltest.Program { return shelltest.Start(t, run, args...) }

// try runs args to their end, and wants an exit code.
func try(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return start(t, args...).Finish(t, want)
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
		addr := shelltest.Serve(t)
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
