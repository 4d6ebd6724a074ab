package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"

	"example.com/daytime/transport"
)

// bound is how long a test waits for an event; it passes only when the test fails.
const bound = 10 * time.Second

// say is an endpoint that always answers with text.
func say(text string) kitendpoint.Endpoint {
	return func(context.Context, any) (any, error) { return text, nil }
}

func encodeText(_ context.Context, w io.Writer, v any) error {
	return transport.WriteLine(w, v.(string))
}

func decodeText(_ context.Context, r io.Reader) (any, error) {
	return transport.ReadLine(r)
}

// A running server is a Server behind a listener.
type running struct {
	*transport.Server
	addr   string
	served chan error // the result of Serve
}

// start serves e until the end of the test.
func start(t testing.TB, e kitendpoint.Endpoint, options ...transport.ServerOption) running {
	t.Helper()
	return startServer(t, transport.NewServer(e, nil, encodeText, options...))
}

func startServer(t testing.TB, server *transport.Server) running {
	t.Helper()
	l, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := running{server, l.Addr().String(), make(chan error, 1)}
	go func() { r.served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("want a clean shutdown, have %v", err)
		}
	})
	return r
}

// dial connects, with a deadline for everything, until the end of the test.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(bound))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// ask writes request and reads to the end, as strictly as nc: a reset is an error.
func ask(addr, request string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(conn)
	return string(reply), err
}

// errorLog is an ErrorHandler that keeps every error.
type errorLog struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorLog) Handle(_ context.Context, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorLog) all() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]error(nil), l.errs...)
}

// within waits until condition holds, for a bounded time.
func within(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); time.Now().Before(end); {
		if condition() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s: not within %v", what, bound)
}

// isUnsent looks for the mark of a call that no endpoint can have acted on.
func isUnsent(err error) bool {
	var mark interface{ Unsent() bool }
	return errors.As(err, &mark) && mark.Unsent()
}

// wantIs checks that err matches every target.
func wantIs(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("want an error that is %q, have %v", target, err)
		}
	}
}

func shutdownTimeout(server *transport.Server, d time.Duration) error {
	cause := fmt.Errorf("test: %w", context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, cause)
	defer cancel()
	return server.Shutdown(ctx)
}
