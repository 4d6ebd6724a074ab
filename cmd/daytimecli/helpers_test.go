package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/service"
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
