package transport

import (
	"time"

	"github.com/go-kit/kit/transport"
)

// A ServerOption changes a Server that NewServer makes. The names that begin with Server are
// go-kit's.
type ServerOption func(*Server)

// ServerBefore functions run before the request is decoded. By default there are none.
func ServerBefore(before ...RequestFunc) ServerOption {
	return func(s *Server) { s.before = append(s.before, before...) }
}

// ServerAfter functions run after the endpoint and before the reply is encoded. By default there
// are none.
func ServerAfter(after ...RequestFunc) ServerOption {
	return func(s *Server) { s.after = append(s.after, after...) }
}

// ServerFinalizer functions run at the end of every exchange, before the drain. By default there
// are none.
func ServerFinalizer(finalizer ...FinalizerFunc) ServerOption {
	return func(s *Server) { s.finalizer = append(s.finalizer, finalizer...) }
}

// ServerErrorHandler gets the errors of the server: those of the decoder, endpoint and encoder,
// panics, and, each once a minute at most, a shortage that keeps Serve from accepting
// (syscall.EMFILE for instance), how many connections a limit turned away (ErrMaxConns,
// ErrMaxConnsPerIP), how many had no TLS handshake (ErrHandshake), and why the TLSSource has no newer
// configuration than the last good one (ErrTLSFiles). A client that is gone before its reply is no
// such error; finalizers see it. By default nobody is told.
//
// It is called by one goroutine at a time, and may block: nothing waits for it but Shutdown, for a
// second at most. While it blocks, 64 errors are kept for it; the others are counted.
func ServerErrorHandler(handler transport.ErrorHandler) ServerOption {
	return func(s *Server) { s.reports.handler = handler }
}

// ServerTimeout bounds a connection from its acceptance to the end of the write: decoder, endpoint
// (by its context) and write share it. The default is 10 s.
func ServerTimeout(d time.Duration) ServerOption {
	return func(s *Server) { s.timeout = d }
}

// Linger bounds how long the server waits for a client to hang up after its reply. The default is
// 500 ms.
func Linger(d time.Duration) ServerOption {
	return func(s *Server) { s.linger = d }
}

// MaxConns limits the connections that are served at the same time; zero is no limit. A connection
// above the limit ends without an answer, and at once, so that the client goes elsewhere. The
// default is DefaultMaxConns(1), 10000 or as many as there are file descriptors for.
func MaxConns(n int) ServerOption {
	return func(s *Server) { s.limits.total = n }
}

// MaxConnsPerIP limits the connections from one IPv4 address or one IPv6 /64, which is what a
// single customer gets, in the manner of MaxConns. The default is zero, no limit.
func MaxConnsPerIP(n int) ServerOption {
	return func(s *Server) { s.limits.perSource = n }
}
