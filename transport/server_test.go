package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	kittransport "github.com/go-kit/kit/transport"

	"example.com/daytime/transport"
)

func TestServerResetsNobodyWhoBehaves(t *testing.T) {
	server := start(t, say("now"))
	for _, test := range []struct{ name, request string }{
		{"silent", ""},
		{"one word", "timestamp"},
		{"a line", "\n"},
		{"sixteen kilobytes", strings.Repeat("x", 16<<10)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() {
					for range 50 {
						if have, err := ask(server.addr, test.request); have != "now\r\n" || err != nil {
							t.Errorf("want now, have %q, %v", have, err)
						}
					}
				})
			}
			clients.Wait()
		})
	}
}

// A client may write late, in pieces, and close its half before it reads.
func TestServerDrainsWhatComesAfterTheReply(t *testing.T) {
	conn := dial(t, start(t, say("now")).addr)
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := io.WriteString(conn, "late"); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(conn)
	if have := string(first) + string(rest); have != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
}

func TestDrainIsBoundedInBytes(t *testing.T) {
	conn := dial(t, start(t, say("now"), transport.Linger(bound)).addr)
	begin := time.Now()
	var sent int
	for sent < 64<<20 {
		n, err := conn.Write(make([]byte, 4<<10))
		sent += n
		if err != nil {
			wantIs(t, err, errReset(err))
			break
		}
	}
	if sent >= 64<<20 || time.Since(begin) > bound/2 {
		t.Errorf("want an end soon after 16 KiB, have %d bytes in %v", sent, time.Since(begin))
	}
}

// errReset is the name that the end of a connection has for its writer: which of the two is a
// matter of timing.
func errReset(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return syscall.EPIPE
	}
	return syscall.ECONNRESET
}

func TestDrainIsBoundedInTime(t *testing.T) {
	const linger = 100 * time.Millisecond
	server := start(t, say("now"), transport.Linger(linger))
	begin := time.Now()
	conn := dial(t, server.addr) // and never hangs up
	if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	if err := shutdownTimeout(server.Server, bound); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < linger || took > bound/2 {
		t.Errorf("want the connection to end after %v, have %v", linger, took)
	}
}

// A reply that does not fit into a send buffer goes the long way, and arrives whole.
func TestServerSendsLargeReplies(t *testing.T) {
	for _, size := range []int{1, 2048, 2049, 3 << 20} {
		want := strings.Repeat("x", size)
		encode := func(_ context.Context, w io.Writer, v any) error {
			_, err := io.WriteString(w, v.(string))
			return err
		}
		server := startServer(t, transport.NewServer(say(want), nil, encode))
		if have, err := ask(server.addr, "timestamp"); have != want || err != nil {
			t.Errorf("want %d bytes, have %d, %v", size, len(have), err)
		}
	}
}

func TestWriteHasADeadline(t *testing.T) {
	outcome := make(chan error, 1)
	encode := func(_ context.Context, w io.Writer, v any) error {
		_, err := w.Write(make([]byte, 16<<20))
		return err
	}
	server := startServer(t, transport.NewServer(say(""), nil, encode,
		transport.ServerTimeout(50*time.Millisecond),
		transport.Linger(time.Millisecond),
		transport.ServerFinalizer(func(_ context.Context, _ net.Conn, err error) { outcome <- err })))
	dial(t, server.addr) // and never reads
	var timeout net.Error
	if err := <-outcome; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("want a timeout, have %v", err)
	}
}

// A reply that its client does not take in time is given up then, and does not end as a whole one does.
func TestReplyThatIsCutOffIsReset(t *testing.T) {
	const timeout = time.Second
	a, reply := newAuthority(t), make([]byte, 16<<20)
	encode := func(_ context.Context, w io.Writer, v any) error {
		_, err := w.Write(reply)
		return err
	}
	for name, options := range map[string][]transport.ServerOption{"plain": nil, "TLS": {a.serverTLS()}} {
		outcome := make(chan error, 1)
		server := startServer(t, transport.NewServer(say(""), nil, encode, append(options,
			transport.ServerTimeout(timeout),
			transport.Linger(time.Millisecond),
			transport.ServerFinalizer(func(_ context.Context, _ net.Conn, err error) { outcome <- err }))...))
		play := func() (took time.Duration, n int64, err error) {
			var conn net.Conn = dial(t, server.addr)
			if name == "TLS" {
				conn = tls.Client(conn, &tls.Config{RootCAs: a.Pool(), ServerName: serviceName})
				if err := conn.(*tls.Conn).Handshake(); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			wantIs(t, <-outcome, os.ErrDeadlineExceeded)
			took = time.Since(begin)
			n, err = io.Copy(io.Discard, conn)
			return took, n, err
		}
		const most = timeout + 2*time.Second
		took, n, err := play()
		for again := 0; (took > most || n == 0) && again < 5; again++ { // the machine was busy, and it was too late to begin
			took, n, err = play()
		}
		if took > most {
			t.Errorf("%s: want it given up after %v, have %v", name, timeout, took)
		}
		if n == 0 || err == nil {
			t.Errorf("%s: want a part of the reply and no end after it, have %d bytes, %v", name, n, err)
		}
	}
}

// A reply that comes too late to be sent is none, and its connection ends as one without a reply.
func TestReplyThatComesTooLateIsNone(t *testing.T) {
	a := newAuthority(t)
	late := func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return strings.Repeat("x", 3000), nil }
	encode := func(_ context.Context, w io.Writer, v any) error {
		_, err := io.WriteString(w, v.(string))
		return err
	}
	timeout := transport.ServerTimeout(time.Second) // which a handshake must not use up
	server := startServer(t, transport.NewServer(late, nil, encode, timeout))
	if have, err := ask(server.addr, "timestamp"); have != "" || err != nil {
		t.Errorf("want nothing and a clean end, have %d bytes, %v", len(have), err)
	}
	secured := startServer(t, transport.NewServer(late, nil, encode, timeout, a.serverTLS()))
	have, err := call(t.Context(), secured.addr, a.clientTLS())
	if wantIs(t, err, transport.ErrNoReply, io.ErrUnexpectedEOF); have != "" {
		t.Errorf("under TLS: want nothing, have %q", have)
	}
}

// In every function that a user supplies a panic costs one connection, which ends cleanly, and one
// report.
func TestPanicCostsOneConnection(t *testing.T) {
	var armed atomic.Value
	armed.Store("")
	panicIn := func(name string) {
		if armed.Load() == name {
			panic("boom in " + name)
		}
	}
	hook := func(name string) transport.RequestFunc {
		return func(ctx context.Context, _ net.Conn) context.Context { panicIn(name); return ctx }
	}
	var log errorLog
	server := startServer(t, transport.NewServer(
		func(context.Context, any) (any, error) { panicIn("endpoint"); return "now", nil },
		func(context.Context, io.Reader) (any, error) { panicIn("decoder"); return nil, nil },
		func(ctx context.Context, w io.Writer, v any) error {
			err := encodeText(ctx, w, v)
			panicIn("encoder")
			return err
		},
		transport.ServerBefore(hook("before")),
		transport.ServerAfter(hook("after")),
		transport.ServerFinalizer(func(context.Context, net.Conn, error) { panicIn("finalizer") }),
		transport.ServerErrorHandler(&log),
	))
	for i, name := range []string{"endpoint", "decoder", "encoder", "before", "after", "finalizer"} {
		armed.Store(name)
		have, err := ask(server.addr, "timestamp")
		want := ""
		if name == "finalizer" {
			want = "now\r\n" // the reply is out by then
		}
		if have != want || err != nil {
			t.Errorf("%s: want %q and a clean end, have %q, %v", name, want, have, err)
		}
		within(t, "the report", func() bool { return len(log.all()) > i })
		reports := log.all()
		text := reports[i].Error()
		has := func(part string) bool { return strings.Contains(text, part) }
		if len(reports) != i+1 || !has("panic: boom in "+name) || !has("server_test.go") {
			t.Errorf("%s: want one report with the place, have %v", name, reports[i:])
		}
		armed.Store("")
		if have, err := ask(server.addr, ""); have != "now\r\n" || err != nil {
			t.Errorf("after a panic in %s: want now, have %q, %v", name, have, err)
		}
	}
}

// The error handler is a user's function, too. Its panic is dropped.
func TestPanicInTheErrorHandler(t *testing.T) {
	handler := kittransport.ErrorHandlerFunc(func(context.Context, error) { panic("boom") })
	fail := func(context.Context, any) (any, error) { return nil, errors.New("no") }
	server := start(t, fail, transport.ServerErrorHandler(handler))
	for range 2 {
		if have, err := ask(server.addr, "timestamp"); have != "" || err != nil {
			t.Errorf("want nothing and a clean end, have %q, %v", have, err)
		}
	}
}

// What fails is reported, and the client gets nothing rather than half a reply.
func TestErrorsEndWithoutAReply(t *testing.T) {
	boom := errors.New("boom")
	fail := func(where, name string) error {
		if where == name {
			return boom
		}
		return nil
	}
	for _, where := range []string{"decoder", "endpoint", "encoder"} {
		t.Run(where, func(t *testing.T) {
			var log errorLog
			outcome := make(chan error, 1)
			server := startServer(t, transport.NewServer(
				func(context.Context, any) (any, error) { return "now", fail(where, "endpoint") },
				func(context.Context, io.Reader) (any, error) { return nil, fail(where, "decoder") },
				func(_ context.Context, w io.Writer, _ any) error {
					io.WriteString(w, "half")
					return fail(where, "encoder")
				},
				transport.ServerErrorHandler(&log),
				transport.ServerFinalizer(func(_ context.Context, _ net.Conn, err error) { outcome <- err })))
			if have, err := ask(server.addr, "timestamp"); have != "" || err != nil {
				t.Errorf("want nothing and a clean end, have %q, %v", have, err)
			}
			if have := <-outcome; have != boom {
				t.Errorf("want the finalizer to see %v, have %v", boom, have)
			}
			within(t, "the report", func() bool { return len(log.all()) > 0 })
			if have := log.all(); len(have) != 1 || have[0] != boom {
				t.Errorf("want one report of %v, have %v", boom, have)
			}
		})
	}
}

type key struct{}

func TestHooksRunInOrderAndShareTheContext(t *testing.T) {
	var order []string
	add := func(name string) transport.RequestFunc {
		return func(ctx context.Context, conn net.Conn) context.Context {
			trail, _ := ctx.Value(key{}).(string)
			return context.WithValue(ctx, key{}, trail+name+" ")
		}
	}
	done := make(chan struct{})
	server := start(t, func(ctx context.Context, request any) (any, error) {
		if request != nil {
			t.Errorf("want no request without a decoder, have %v", request)
		}
		return fmt.Sprint(ctx.Value(key{})), nil
	},
		transport.ServerBefore(add("b1"), add("b2")), transport.ServerBefore(add("b3")),
		transport.ServerAfter(add("a1"), add("a2")),
		transport.ServerFinalizer(
			func(ctx context.Context, conn net.Conn, err error) {
				order = append(order, fmt.Sprint(ctx.Value(key{}), conn.LocalAddr().Network(), err))
			},
			func(context.Context, net.Conn, error) { close(done) }))

	if have, err := ask(server.addr, ""); have != "b1 b2 b3 \r\n" || err != nil {
		t.Errorf("want b1 b2 b3, have %q, %v", have, err)
	}
	<-done
	if want, have := "b1 b2 b3 a1 a2 tcp<nil>", strings.Join(order, ""); have != want {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestTimeoutCoversDecoderAndEndpoint(t *testing.T) {
	const timeout = 50 * time.Millisecond
	outcome := make(chan error, 1)
	options := []transport.ServerOption{
		transport.ServerTimeout(timeout),
		transport.ServerFinalizer(func(_ context.Context, _ net.Conn, err error) { outcome <- err }),
	}
	slow := startServer(t, transport.NewServer(say("now"), decodeText, encodeText, options...))
	dial(t, slow.addr) // and sends no request
	wantIs(t, <-outcome, os.ErrDeadlineExceeded)

	stuck := start(t, func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, options...)
	dial(t, stuck.addr)
	wantIs(t, <-outcome, context.DeadlineExceeded)
}

func TestServerOverIPv6(t *testing.T) {
	l, err := transport.Listen(t.Context(), "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	server := transport.NewServer(say("now"), nil, encodeText)
	go server.Serve(l)
	defer shutdownTimeout(server, bound)
	if have, err := ask(l.Addr().String(), "timestamp"); have != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
}

// A listener that is no TCP listener works too: no half-close, no deadline for Accept.
func TestServerOverOtherConnections(t *testing.T) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := transport.NewServer(say("now"), nil, encodeText, transport.Linger(10*time.Millisecond))
	served := make(chan error)
	go func() { served <- server.Serve(l) }()

	client, conn := net.Pipe()
	l.conns <- conn
	if have, err := io.ReadAll(client); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	if err := shutdownTimeout(server, bound); err != nil {
		t.Error(err)
	}
	if err := <-served; err != transport.ErrServerClosed {
		t.Errorf("want %v, have %v", transport.ErrServerClosed, err)
	}
}

type pipeListener struct {
	net.Listener
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.once.Do(func() { close(l.closed) }); return nil }

func Example() {
	shout := func(_ context.Context, request any) (any, error) {
		return strings.ToUpper(request.(string)), nil
	}
	server := transport.NewServer(shout, decodeText, encodeText)
	l, err := transport.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(l)
	defer server.Shutdown(context.Background())

	client := transport.NewClient(l.Addr().String(), encodeText, decodeText)
	fmt.Println(client.Endpoint()(context.Background(), "hello"))
	// Output: HELLO <nil>
}
