package transport

import (
	"context"
	"net"
	"os"
	"syscall"
)

// newDialer returns the dialer of a client. It sends no keep-alive, because a call is over before
// the first probe.
func newDialer() net.Dialer { return net.Dialer{KeepAlive: -1, Control: reuseAddr} }

// connect dials addr.
//
// Where nobody listens on a local port, the kernel may choose that very port as the source and
// connect the socket to itself, by the simultaneous open of RFC 9293 §3.5. Package net tries again
// after the first two such connections; here the third is refused as well. It is reset, and has
// SO_REUSEADDR (reuseAddr): otherwise its TIME-WAIT would keep the server from its port for a
// minute.
func connect(ctx context.Context, dialer *net.Dialer, addr string) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil || !toItself(conn) {
		return conn, err
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: conn.RemoteAddr(), Err: refused}
}

// toItself reports whether both ends of conn are one.
func toItself(conn net.Conn) bool {
	local, isTCP := conn.LocalAddr().(*net.TCPAddr)
	remote, _ := conn.RemoteAddr().(*net.TCPAddr)
	return isTCP && local.Port == remote.Port && local.IP.Equal(remote.IP)
}
