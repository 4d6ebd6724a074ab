package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// A Client makes an endpoint of one server. It holds no connection between calls and has no
// goroutine.
type Client struct {
	addr      string
	enc       EncodeFunc
	request   *string // instead of what enc writes, unless nil
	dec       DecodeFunc
	before    []RequestFunc
	after     []RequestFunc
	finalizer []FinalizerFunc
	timeout   time.Duration
	tls       TLSSource // nil is plain text
	tlsName   string
	metrics   ClientMetrics
	dialer    net.Dialer
}

// NewClient returns a client of the server at addr, a host:port, whose host is looked up anew for
// every call. A nil enc sends no request. A request is written before the reply is read: one that
// is larger than what the kernels buffer, a megabyte or so, wants a server that reads it. It makes
// no connection yet, and fails for no address: that is left to the call.
func NewClient(addr string, enc EncodeFunc, dec DecodeFunc, options ...ClientOption) *Client {
	c := &Client{
		addr:    addr,
		enc:     enc,
		dec:     dec,
		timeout: 5 * time.Second,
		dialer:  newDialer(),
		metrics: ClientMetrics{}.complete(),
	}
	for _, option := range options {
		option(c)
	}
	return c
}

// Endpoint returns an endpoint that connects, sends the request, reads the reply and hangs up. The
// end of the context ends it at once, whatever it is doing. It fails with an *Error. It never tries
// twice: a balancer does, elsewhere.
func (c *Client) Endpoint() kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (response any, err error) {
		begin := time.Now()
		c.metrics.InFlight.Add(1)
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		x := call{Client: c, ctx: ctx}
		err = errPanicked // if a function of the options does
		defer func() {
			c.metrics.returned(begin, err)
			for _, finalize := range c.finalizer {
				finalize(x.ctx, x.conn, err)
			}
		}()
		if response, err = x.run(request); err != nil {
			err = &Error{Addr: c.addr, Err: x.explain(err), unsent: x.unsent}
		}
		return response, err
	}
}

var errPanicked = errors.New("panicked")

// A call is one use of the endpoint.
type call struct {
	*Client
	ctx    context.Context
	conn   net.Conn // nil until connected
	unsent bool     // it failed before an endpoint could act

	outdated error // why its TLS configuration is not the newest, if so
}

// run encodes before it connects, so that a request that cannot be encoded costs no connection.
//
// A reset that arrives while the kernel is still connecting ends the dial, even when a reply came
// in front of it: the socket is gone by the time that anybody could read it. Only a server that
// aborts without waiting for a byte does that.
func (x *call) run(request any) (any, error) {
	text, err := x.encode(request)
	if err != nil {
		return nil, err
	}
	config, err := x.tlsConfig()
	if err != nil {
		return nil, err
	}
	conn, err := connect(x.ctx, &x.dialer, x.addr)
	if err != nil {
		x.unsent = true
		return nil, fmt.Errorf("%w: %w", ErrConnect, err)
	}
	defer conn.Close()
	x.conn = conn
	defer interruptOn(x.ctx, conn)()
	if config != nil {
		return x.exchangeOverTLS(config, text)
	}
	reply := &reply{conn: conn, ctx: x.ctx}
	response, err := x.exchange(text, reply)
	if !reply.begun && hungUp(err) {
		err = fmt.Errorf("%w, or it wants TLS", err)
	}
	return response, err
}

// hungUp reports whether err is of a reply that was ended by the server. One that speaks TLS, and is
// asked in clear text, often ends it without a byte.
func hungUp(err error) bool {
	return errors.Is(err, ErrNoReply) &&
		(errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET))
}

// encode returns the bytes of the request, none when there is no encoder.
func (x *call) encode(request any) ([]byte, error) {
	switch {
	case x.request != nil:
		return []byte(*x.request), nil
	case x.enc == nil:
		return nil, nil
	}
	var text bytes.Buffer
	err := x.enc(x.ctx, &text, request)
	return text.Bytes(), err
}

// exchange sends text and reads the reply. A server need not wait for a request, and may be gone
// when it comes: a failed write is a failure only when there is no reply either.
func (x *call) exchange(text []byte, reply io.Reader) (response any, err error) {
	for _, before := range x.before {
		x.ctx = before(x.ctx, x.conn)
	}
	var unsent error
	if len(text) > 0 {
		_, unsent = x.conn.Write(text)
	}
	response, err = x.dec(x.ctx, reply)
	if err != nil && unsent != nil {
		err = fmt.Errorf("%w (request: %w)", err, unsent)
	}
	if err != nil {
		return nil, err
	}
	for _, after := range x.after {
		x.ctx = after(x.ctx, x.conn)
	}
	return response, nil
}

// explain adds the sentinels that only the context knows. The deadline of the connection comes from
// the context alone, so that its end is the context's end.
func (x *call) explain(err error) error {
	ended := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	if errors.Is(err, ErrConnect) {
		ended = ended || x.ctx.Err() != nil
	}
	switch {
	case !ended:
		return err
	case errors.Is(x.ctx.Err(), context.Canceled):
		return fmt.Errorf("%w: %w", context.Canceled, err)
	default:
		return &deadlineError{err}
	}
}

// A deadlineError matches every name that a deadline has.
type deadlineError struct{ cause error }

func (e *deadlineError) Error() string { return ErrDeadline.Error() + ": " + e.cause.Error() }

func (e *deadlineError) Unwrap() []error {
	return []error{ErrDeadline, context.DeadlineExceeded, os.ErrDeadlineExceeded, e.cause}
}

// Timeout reports true, as net.Error has it.
func (e *deadlineError) Timeout() bool { return true }
