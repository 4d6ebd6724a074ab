package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// sendTimeout bounds the sending of credentials.
const sendTimeout = time.Second

// An authConn is a connection on which no request is ever sent before the server has accepted the
// credentials: they are part of the handshake. It holds the connect reply back until then, so that
// go-zookeeper has no session before.
//
// Go-zookeeper's own AddAuth is not used. Between Connect and the first AddAuth it sends what is
// queued without credentials; it remembers them only after a first success; and one write error
// while it sends them again after a reconnect blocks it for ever
// (https://github.com/go-zookeeper/zk/pull/163).
type authConn struct {
	net.Conn
	secret []byte    // nil once it was sent
	in     io.Reader // what go-zookeeper is to see from then on
}

// Authenticate returns conn such that the server has accepted the secret, user:password of the
// scheme digest, before anything but the connect request is sent. The error of a Read matches
// ErrDenied, and go-zookeeper's ErrAuthFailed, if the server does not.
func Authenticate(conn net.Conn, secret []byte) net.Conn {
	return &authConn{conn, secret, conn}
}

// Read reads what go-zookeeper is to see: all but the server's answer to the credentials.
func (c *authConn) Read(b []byte) (int, error) {
	if secret := c.secret; secret != nil {
		c.secret = nil
		reply, err := c.shakeHands(secret)
		if err != nil {
			return 0, err
		}
		c.in = io.MultiReader(bytes.NewReader(reply), c.Conn)
	}
	return c.in.Read(b)
}

// shakeHands returns the connect reply, after the server has accepted secret if it granted a
// session.
func (c *authConn) shakeHands(secret []byte) ([]byte, error) {
	const session = 4 + 4 + 4 // after the length, the protocol and the timeout
	reply, err := readFrame(c.Conn)
	if err != nil || binary.BigEndian.Uint64(reply[session:]) == 0 {
		return reply, err
	}
	c.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, err = c.Conn.Write(authRequest(secret))
	c.SetWriteDeadline(time.Time{})
	var answer []byte
	if err == nil {
		answer, err = readFrame(c.Conn)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnproved, err)
	}
	xid := int32(binary.BigEndian.Uint32(answer[4:]))
	code := int32(binary.BigEndian.Uint32(answer[16:]))
	if xid != authXid || code != 0 {
		return nil, fmt.Errorf("%w: auth-file: %w (xid %d, code %d)",
			ErrDenied, gozk.ErrAuthFailed, xid, code)
	}
	return reply, nil
}

// authRequest encodes the credentials for the digest scheme.
func authRequest(secret []byte) []byte {
	const scheme, unused = "digest", 0
	size := int32(20 + len(scheme) + len(secret))
	b := appendWords(nil, size, authXid, opAuth, unused, int32(len(scheme)))
	b = appendWords(append(b, scheme...), int32(len(secret)))
	return append(b, secret...)
}

// readFrame reads a frame of the handshake, its length included.
func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 4, 64)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(frame)
	switch {
	case size > maxConnectFrame:
		return nil, noConnectReply(int64(size))
	case size < minFrame:
		return nil, fmt.Errorf("%w of %d bytes: want %d at least", ErrBadFrame, size, minFrame)
	}
	frame = append(frame, make([]byte, size)...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}
