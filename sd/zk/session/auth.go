package session

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

const (
	opAuth  = 100
	authXid = -4
	// maxSecret bounds user and password together.
	maxSecret = 1024
	// forbidden are the rights on an auth-file that nobody may have: its group and others must not
	// write it, and others must not read it. The group may read it: a Secret that Kubernetes mounts
	// for a process that is not root's is root's, with a mode of 0440.
	forbidden = 0o026
)

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
	secret []byte // nil once it was sent
	held   []byte // what is left of the connect reply
}

// Read reads what go-zookeeper is to see: all but the server's answer to the credentials.
func (c *authConn) Read(b []byte) (int, error) {
	if c.secret != nil {
		secret := c.secret
		c.secret = nil
		var err error
		if c.held, err = c.shakeHands(secret); err != nil {
			return 0, err
		}
	}
	if len(c.held) > 0 {
		n := copy(b, c.held)
		c.held = c.held[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// shakeHands returns the connect reply, after the server has accepted secret if it granted a
// session.
func (c *authConn) shakeHands(secret []byte) ([]byte, error) {
	const session = 4 + 4 + 4 // after the length, the protocol and the timeout
	reply, err := readFrame(c.Conn)
	if err != nil || binary.BigEndian.Uint64(reply[session:]) == 0 {
		return reply, err
	}
	c.SetWriteDeadline(time.Now().Add(dialTimeout))
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
	const scheme = "digest"
	b := binary.BigEndian.AppendUint32(nil, uint32(20+len(scheme)+len(secret)))
	xid := int32(authXid)
	b = binary.BigEndian.AppendUint32(b, uint32(xid))
	b = binary.BigEndian.AppendUint32(b, opAuth)
	b = binary.BigEndian.AppendUint32(b, 0) // a type that nobody uses
	b = binary.BigEndian.AppendUint32(b, uint32(len(scheme)))
	b = append(b, scheme...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(secret)))
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

// readSecret reads "user:password" from a file. Its errors name the file and what is allowed, and
// never what is in it.
func readSecret(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold it up
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	const want = "want a regular file of this user's or root's, " +
		"with mode 0640 or stricter: written by its owner alone, and not read by others"
	switch mode := info.Mode(); {
	case !mode.IsRegular() || mode.Perm()&forbidden != 0:
		return nil, fmt.Errorf("auth-file %s: mode %v: %s", name, mode, want)
	case !isTrusted(info):
		return nil, fmt.Errorf("auth-file %s: another user's: %s", name, want)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if mark := byteOrderMark(secret); mark != "" {
		return nil, fmt.Errorf("auth-file %s: begins with a byte order mark of %s, "+
			"which would be part of the user's name: want UTF-8 without", name, mark)
	}
	user, password, found := bytes.Cut(secret, []byte(":"))
	if !found || len(user) == 0 || len(password) == 0 || len(text) > maxSecret ||
		bytes.ContainsAny(secret, "\r\n\x00") {
		return nil, fmt.Errorf("auth-file %s: want one line, user:password, of %d bytes at most",
			name, maxSecret)
	}
	return secret, nil
}

// byteOrderMark returns the encoding of the mark that text begins with, or "".
func byteOrderMark(text []byte) string {
	for mark, encoding := range map[string]string{
		"\xef\xbb\xbf": "UTF-8", "\xff\xfe": "UTF-16", "\xfe\xff": "UTF-16",
	} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return encoding
		}
	}
	return ""
}
