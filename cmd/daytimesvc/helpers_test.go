package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport"
)

// bound is how long a test waits for what must happen.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noVariables is an empty environment.
func noVariables(string) (string, bool) { return "", false }

// A console takes what a program writes, while others read it.
type console struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed at the next write
}

func newConsole() *console { return &console{written: make(chan struct{})} }

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.written)
	c.written = make(chan struct{})
	return c.text.Write(p)
}

func (c *console) String() string {
	text, _ := c.read()
	return text
}

func (c *console) read() (text string, written <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String(), c.written
}

// await returns once want is written for the nth time.
func (c *console) await(t testing.TB, want string, nth int) {
	t.Helper()
	late := time.NewTimer(bound)
	defer late.Stop()
	for {
		text, written := c.read()
		if strings.Count(text, want) >= nth {
			return
		}
		select {
		case <-written:
		case <-late.C:
			t.Fatalf("want %q %d times, have\n%s", want, nth, text)
		}
	}
}

// A program is a run under way.
type program struct {
	stdout, stderr *console
	interrupt      context.CancelCauseFunc
	code           chan int
}

// start runs args as a shell would.
func start(t testing.TB, args ...string) *program {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := &program{newConsole(), newConsole(), cancel, make(chan int, 1)}
	go func() { p.code <- run(ctx, args, noVariables, p.stdout, p.stderr) }()
	t.Cleanup(func() { cancel(nil) })
	return p
}

// exit returns the exit code.
func (p *program) exit(t testing.TB) int {
	t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(bound):
		t.Fatalf("still running; stdout\n%s\nstderr\n%s", p.stdout, p.stderr)
		return -1
	}
}

// finish wants an exit code, and returns what was written.
func (p *program) finish(t testing.TB, want int) (stdout, stderr string) {
	t.Helper()
	if have := p.exit(t); have != want {
		t.Errorf("want exit code %d, have %d; stdout\n%s\nstderr\n%s", want, have, p.stdout, p.stderr)
	}
	return p.stdout.String(), p.stderr.String()
}

// try runs args to their end.
func try(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return start(t, args...).finish(t, want)
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
	deadline := time.Now().Add(bound)
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

// golden compares have with a file, which UPDATE_GOLDEN=1 writes.
func golden(t testing.TB, name, have string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(have), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("%s: want\n%s\nhave\n%s\nUPDATE_GOLDEN=1 takes this over", path, want, have)
	}
}

// wantText wants have to hold every one of wants.
func wantText(t testing.TB, have string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(have, want) {
			t.Errorf("want %q in\n%s", want, have)
		}
	}
}
