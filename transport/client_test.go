package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// abort makes the kernel send a RST in place of a FIN, once the client has sent something. Before
// that the client may still be connecting, and the reset ends its dial: net.Dialer cannot tell
// whether there were bytes in front of it.
func abort(conn *net.TCPConn) {
	conn.Read(make([]byte, 1))
	conn.SetLinger(0)
	conn.Close()
}

// untilGone waits for the client to hang up.
func untilGone(conn *net.TCPConn) { io.Copy(io.Discard, conn) }

// end sends a FIN and waits for the client to hang up.
func end(conn *net.TCPConn) { conn.CloseWrite(); untilGone(conn) }

// sends is a server that sends text and goes on with then.
func sends(text string, then func(*net.TCPConn)) func(*net.TCPConn) {
	return func(conn *net.TCPConn) { io.WriteString(conn, text); then(conn) }
}

func call(ctx context.Context, addr string, options ...transport.ClientOption) (string, error) {
	options = append([]transport.ClientOption{transport.Request("timestamp")}, options...)
	client := transport.NewClient(addr, encodeText, decodeText, options...)
	response, err := client.Endpoint()(ctx, nil)
	reply, _ := response.(string)
	return reply, err
}

func TestClientTakesAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		handle func(*net.TCPConn)
		want   string
	}{
		{"line and end", sends("now\r\n", end), "now"},
		{"line and no end", sends("now\r\n", untilGone), "now"},
		{"line and more", sends("now\nthen\n", untilGone), "now"},
		{"line and reset", sends("now\n", abort), "now"},
		{"no line end", sends("now", end), "now"},
		{"no line end and reset", sends("now", abort), "now"},
		{"unread request", func(c *net.TCPConn) { c.SetReadBuffer(1); io.WriteString(c, "now") }, "now"},
		{"in pieces", func(c *net.TCPConn) {
			for _, piece := range []string{"n", "o", "w", "\r", "\n"} {
				io.WriteString(c, piece)
				runtime.Gosched()
			}
			untilGone(c)
		}, "now"},
		{"binary", sends("\x00\xffa\x1b\n", untilGone), "\x00\xffa\x1b"},
		{"empty line first", sends("\nnow\n", untilGone), "now"}, // as time.nist.gov
		{"no line end and no end", sends("\r\nnow", untilGone), "now"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if have, err := call(t.Context(), transporttest.Serve(t, test.handle)); have != test.want || err != nil {
				t.Errorf("want %q, have %q, %v", test.want, have, err)
			}
		})
	}
}

// The connection is reset before the client writes, and its write fails; the reply is there all the
// same.
func TestWriteErrorIsNoFailureWithAReply(t *testing.T) {
	addr := transporttest.Serve(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "now\r\n")
		abort(conn)
	})
	var unsent error
	wait := func(ctx context.Context, conn net.Conn) context.Context {
		within(t, "the write to fail", func() bool {
			_, unsent = conn.Write([]byte("x"))
			return unsent != nil
		})
		return ctx
	}
	have, err := call(t.Context(), addr, transport.ClientBefore(wait))
	if have != "now" || err != nil || unsent == nil {
		t.Errorf("want now, have %q, %v, after %v", have, err, unsent)
	}
}

func TestClientFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	gigabyte := func(c *net.TCPConn) { io.Copy(c, io.LimitReader(endless('x'), 1<<30)) }
	for _, test := range []struct {
		name string
		addr string
		want []error
		text string
	}{
		{"refused", closed.Addr().String(),
			[]error{transport.ErrConnect, syscall.ECONNREFUSED}, "cannot connect: "},
		{"no such host", "127.0.0.1.:x", []error{transport.ErrConnect}, "cannot connect: "},
		{"end before a byte", transporttest.Serve(t, end),
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}, "no reply: unexpected EOF; is it busy, or about to end, or does it want TLS?"},
		{"a TLS alert", transporttest.Serve(t, sends("\x15\x03\x01\x00\x02\x02F", end)),
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}, "no reply: a TLS alert: it speaks TLS"},
		{"a TLS alert that ends like a line",
			transporttest.Serve(t, sends("\x15\x03\x03\x00\x02\x02\n", end)),
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}, "no reply: a TLS alert: it speaks TLS"},
		{"a TLS alert and silence", transporttest.Serve(t, sends("\x15\x03\x03\x00\x02\x02P", untilGone)),
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}, "no reply: a TLS alert: it speaks TLS"},
		{"reset before a byte", transporttest.Serve(t, abort),
			[]error{transport.ErrNoReply, syscall.ECONNRESET}, "no reply: "},
		{"empty line and end", transporttest.Serve(t, sends("\r\n", end)),
			[]error{transport.ErrNoReply}, "no reply: nothing printable in 2 bytes: unexpected EOF"},
		{"a gigabyte", transporttest.Serve(t, gigabyte),
			[]error{transport.ErrTooLong}, "reply too long: over 256 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			have, err := call(t.Context(), test.addr)
			if have != "" || err == nil {
				t.Fatalf("want an error, have %q", have)
			}
			wantIs(t, err, test.want...)
			unsent := slices.Contains(test.want, transport.ErrConnect)
			if isUnsent(err) != unsent {
				t.Errorf("want unsent %v, have %v", unsent, err)
			}
			var typed *transport.Error
			if !errors.As(err, &typed) || typed.Addr != test.addr {
				t.Errorf("want a *transport.Error for %s, have %#v", test.addr, err)
			}
			if want := "transport: " + test.addr + ": " + test.text; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("want %q, have %q", want, err)
			}
		})
	}
}

// In every phase of a call, the end of its context ends it at once, and the error says which
// end it was.
func TestContextEndsACall(t *testing.T) {
	const after = 50 * time.Millisecond
	big := transport.Request(strings.Repeat("x", 16<<20))
	for _, phase := range []struct {
		name    string
		addr    string
		options []transport.ClientOption
	}{
		{"dial", transporttest.Full(t), nil},
		{"write", transporttest.Serve(t, func(c *net.TCPConn) { <-t.Context().Done() }), []transport.ClientOption{big}},
		{"read", transporttest.Serve(t, untilGone), nil},
		{"half a line", transporttest.Serve(t, sends("no", untilGone)), nil},
		{"blank line", transporttest.Serve(t, sends("\n", untilGone)), nil},
	} {
		deadline := []error{transport.ErrDeadline, context.DeadlineExceeded, os.ErrDeadlineExceeded}
		for _, test := range []struct {
			name    string
			ctx     func() (context.Context, context.CancelFunc)
			options []transport.ClientOption
			want    []error
		}{
			{"deadline", func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), after)
			}, nil, deadline},
			{"timeout", func() (context.Context, context.CancelFunc) {
				return t.Context(), func() {}
			}, []transport.ClientOption{transport.ClientTimeout(after)}, deadline},
			{"cancel", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				return ctx, cancel
			}, nil, []error{context.Canceled}},
		} {
			t.Run(phase.name+"/"+test.name, func(t *testing.T) {
				ctx, cancel := test.ctx()
				defer cancel()
				begin := time.Now()
				have, err := call(ctx, phase.addr, append(test.options, phase.options...)...)
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("want an end after %v, have %v", after, took)
				}
				if have != "" || err == nil {
					t.Errorf("want an error, have %q", have)
				}
				wantIs(t, err, test.want...)
				connecting := errors.Is(err, transport.ErrConnect) // which may be slow in any phase
				if isUnsent(err) != connecting || phase.name == "dial" && !connecting {
					t.Errorf("want an unsent call until it is connected, have %v", err)
				}
				if isDeadline := errors.Is(err, transport.ErrDeadline); isDeadline != (test.name != "cancel") {
					t.Errorf("want a deadline told from a cancel, have %v", err)
				}
			})
		}
	}
}

func TestContextThatIsOverMakesNoCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := call(ctx, start(t, say("now")).addr)
	wantIs(t, err, context.Canceled)
	if !isUnsent(err) {
		t.Errorf("want unsent, have %v", err)
	}
}

func TestEncoderFailureSendsNothing(t *testing.T) {
	boom := errors.New("boom")
	failing := func(_ context.Context, w io.Writer, _ any) error {
		io.WriteString(w, "half")
		return boom
	}
	connected := false
	before := func(ctx context.Context, _ net.Conn) context.Context {
		connected = true
		return ctx
	}
	client := transport.NewClient(start(t, say("now")).addr, failing, decodeText,
		transport.ClientBefore(before))
	_, err := client.Endpoint()(t.Context(), nil)
	wantIs(t, err, boom)
	if isUnsent(err) { // another server would get the same
		t.Errorf("want no unsent call, have %v", err)
	}
	if connected {
		t.Error("want no connection for a request that cannot be encoded")
	}
}

func TestClientHooks(t *testing.T) {
	var order []string
	add := func(name string) transport.RequestFunc {
		return func(ctx context.Context, conn net.Conn) context.Context {
			order = append(order, name+" "+conn.RemoteAddr().Network())
			return context.WithValue(ctx, key{}, name)
		}
	}
	var outcome error
	finalizer := transport.ClientFinalizer(func(ctx context.Context, conn net.Conn, err error) {
		order = append(order, "finalizer after "+ctx.Value(key{}).(string))
		outcome = err
	})
	client := transport.NewClient(start(t, say("now")).addr, nil, decodeText,
		transport.ClientBefore(add("before")), transport.ClientAfter(add("after")), finalizer)
	have, err := client.Endpoint()(t.Context(), nil)
	if have != "now" || err != nil || outcome != nil {
		t.Errorf("want now, have %q, %v, %v", have, err, outcome)
	}
	want := "before tcp, after tcp, finalizer after after"
	if have := strings.Join(order, ", "); have != want {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestClientFinalizerSeesTheFailure(t *testing.T) {
	var outcome error
	var connected bool
	finalizer := transport.ClientFinalizer(func(_ context.Context, conn net.Conn, err error) {
		outcome, connected = err, conn != nil
	})
	_, err := call(t.Context(), "127.0.0.1:0", finalizer)
	if outcome == nil || outcome != err || connected {
		t.Errorf("want %v without a connection, have %v, %v", err, outcome, connected)
	}
}

func BenchmarkClient(b *testing.B) {
	addr := listenOurs(b)
	endpoint := transport.NewDaytimeClient(addr).Endpoint()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := endpoint(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
