package transport

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"time"
)

const (
	// scratchSize is the buffer of a drain. Most clients send less, and the bytes are thrown away.
	scratchSize = 512

	// maxPooled is the size from which on a buffer that one large reply has grown is not kept.
	maxPooled = 64 << 10

	// maxWaiting is how many goroutines without a connection are kept.
	maxWaiting = 256

	// maxDrain is how many bytes a client may send beyond what the decoder reads.
	maxDrain = 16 << 10
)

// work is the goroutine of one connection after another. Admit starts it, Shutdown awaits it. It
// does not end with its first connection because a fresh goroutine has a small stack, which every
// connection would pay to have grown.
func (s *Server) work(conn net.Conn) {
	defer s.done()
	for {
		s.serve(conn)
		if s.waiting.Add(1) > maxWaiting {
			s.waiting.Add(-1)
			return
		}
		select {
		case conn = <-s.next:
			s.waiting.Add(-1)
		case <-s.closing:
			return
		}
	}
}

// serve serves one connection to its end, which comes because every phase has a deadline, except an
// endpoint that ignores its context.
func (s *Server) serve(conn net.Conn) {
	defer s.done()
	defer s.limits.release(conn.RemoteAddr())
	defer conn.Close()
	buf := s.buffers.Get().(*bytes.Buffer)
	begin := time.Now()
	if secured, err := s.secure(conn); err != nil {
		closeWrite(conn)
		drain(conn, buf, refusalTimeout)
	} else {
		x := exchange{Server: s, conn: secured, reply: buf, deadline: begin.Add(s.timeout)}
		s.metrics.InFlight.Add(1)
		s.metrics.replied(begin, x.run())
		drain(conn, buf, s.linger)
	}
	if buf.Cap() <= maxPooled {
		s.buffers.Put(buf)
	}
}

// An exchange is one connection from its acceptance to the end of the reply. It is not pooled: an
// endpoint may keep its context for longer.
type exchange struct {
	*Server
	conn     net.Conn
	ctx      context.Context // of the request; hides the server's
	deadline time.Time
	reply    *bytes.Buffer
}

// run sends a reply, or nothing when something went wrong, and ends the server's half of the
// connection. It returns what the finalizers see. There is no way to encode an error: without a
// byte a client knows that it has to go elsewhere.
func (x *exchange) run() error {
	ctx := &requestContext{Context: x.Server.ctx, deadline: x.deadline}
	defer ctx.end()
	x.ctx = ctx
	x.reply.Reset()
	err := recovered(x.prepare)
	if err != nil {
		x.reports.add(x.ctx, err)
		x.reply.Reset()
	}
	if sent := send(x.conn, x.reply.Bytes(), x.deadline); err == nil {
		err = sent
	}
	for _, finalize := range x.finalizer {
		if err := recovered(func() error { finalize(x.ctx, x.conn, err); return nil }); err != nil {
			x.reports.add(x.ctx, err)
		}
	}
	return err
}

// prepare makes the reply. It reads only if there is a decoder: many clients send no request, and
// would wait for ever.
func (x *exchange) prepare() error {
	for _, before := range x.before {
		x.ctx = before(x.ctx, x.conn)
	}
	request, err := x.decode()
	if err != nil {
		return err
	}
	response, err := x.endpoint(x.ctx, request)
	if err != nil {
		return err
	}
	for _, after := range x.after {
		x.ctx = after(x.ctx, x.conn)
	}
	return x.enc(x.ctx, x.reply, response)
}

// decode reads the request, if this server has any.
func (x *exchange) decode() (any, error) {
	if x.dec == nil {
		return nil, nil
	}
	if err := x.conn.SetReadDeadline(x.deadline); err != nil {
		return nil, err
	}
	return x.dec(x.ctx, x.conn)
}

// recovered turns a panic of f into an error, stack included: a panic costs one connection, not the
// process.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("transport: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}
