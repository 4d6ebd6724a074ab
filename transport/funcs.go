package transport

import (
	"context"
	"io"
	"net"
)

// A DecodeFunc reads a request (on the server) or a reply (on the client) from a connection that
// has a deadline. It reads as much as it needs; what follows is thrown away.
type DecodeFunc func(ctx context.Context, r io.Reader) (any, error)

// An EncodeFunc writes a reply (on the server) or a request (on the client). w is a buffer: when an
// EncodeFunc fails, nothing of what it wrote is sent.
type EncodeFunc func(ctx context.Context, w io.Writer, v any) error

// A RequestFunc puts information about the connection, such as its addresses, into the context. It
// must not read, write or close conn.
type RequestFunc func(ctx context.Context, conn net.Conn) context.Context

// A FinalizerFunc sees the outcome of an exchange: on the server once the reply is with the kernel,
// on the client at the end of the call. It must not read, write or close conn, which is nil when a
// client did not come to connect.
type FinalizerFunc func(ctx context.Context, conn net.Conn, err error)
