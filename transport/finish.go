package transport

import (
	"bytes"
	"crypto/tls"
	"net"
	"time"
)

// maxAtOnce is the longest reply that send hands to the kernel without a deadline: the send buffer
// of a fresh connection holds it, so that the write cannot block.
const maxAtOnce = 2 << 10

// send writes reply, if any, and ends our half of the connection. A short reply costs no deadline,
// a longer one has until deadline to enter the send buffer. Of one that does not, nothing may have
// been sent: then the connection ends without a reply. After a part any end but a reset would pass
// that off as the whole.
func send(conn net.Conn, reply []byte, deadline time.Time) error {
	if len(reply) == 0 {
		return closeWrite(conn)
	}
	begun := false
	if tcp, ok := conn.(*net.TCPConn); ok && len(reply) <= maxAtOnce {
		n, err := sendLast(tcp, reply)
		if n == len(reply) || err != nil {
			return err
		}
		begun, reply = n > 0, reply[n:]
	}
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	switch n, err := conn.Write(reply); {
	case err == nil:
		return closeWrite(conn)
	case begun || n > 0:
		resetOnClose(below(conn))
		return err
	default: // TLS says no more, because a record is lost, and the next one would be taken for forged
		closeWrite(below(conn))
		return err
	}
}

// below is the connection below TLS, or conn.
func below(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case *tls.Conn:
		return below(c.NetConn())
	case *handshake:
		return c.Conn
	}
	return conn
}

// resetOnClose makes the end of conn a reset.
func resetOnClose(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		c.SetLinger(0)
	}
}

// closeWrite sends a FIN, and TLS's close_notify before it. A connection that cannot be half-closed
// is left to Close.
func closeWrite(conn net.Conn) error {
	if secured, ok := conn.(*tls.Conn); ok {
		secured.CloseWrite() // fails only where the FIN fails as well
	}
	if half, ok := below(conn).(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// drain reads from the connection below TLS, if there is TLS: nothing of it is of use any more. It
// reads and throws away the client's bytes until it hangs up, has sent more than maxDrain
// bytes, or time is up. What was not read by then makes the following Close a reset; a client that
// has merely not hung up is not reset, unless it sends again.
func drain(conn net.Conn, scratch *bytes.Buffer, within time.Duration) {
	if conn.SetReadDeadline(time.Now().Add(within)) != nil {
		return
	}
	scratch.Reset()
	buf := scratch.AvailableBuffer()
	buf = buf[:min(cap(buf), scratchSize)]
	for total := 0; total <= maxDrain; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		total += n
	}
}
