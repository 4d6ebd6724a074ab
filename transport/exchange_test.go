package transport

import (
	"io"
	"net"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
)

// noConn is a connection without a kernel: writing costs nothing, and the client has hung up.
type noConn struct{ net.Conn }

func (noConn) Write(p []byte) (int, error)      { return len(p), nil }
func (noConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (noConn) Close() error                     { return nil }
func (noConn) CloseWrite() error                { return nil }
func (noConn) SetReadDeadline(time.Time) error  { return nil }
func (noConn) SetWriteDeadline(time.Time) error { return nil }
func (noConn) RemoteAddr() net.Addr             { return nil }

// BenchmarkExchange is the server's work for a connection, without the kernel's part and the
// goroutine: limits, buffers, endpoint, service and codec. The goal is 3 µs.
func BenchmarkExchange(b *testing.B) {
	s := NewDaytimeServer(endpoint.New(service.New("127.0.0.1:8897")), kitlog.NewNopLogger())
	b.ReportAllocs()
	for b.Loop() {
		s.busy.Add(1)
		s.limits.admit(nil)
		s.serve(noConn{})
	}
}
