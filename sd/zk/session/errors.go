package session

import (
	"errors"
	"fmt"
)

// The errors of this package, for [errors.Is]. Errors of ZooKeeper itself are go-zookeeper's, or a
// *[CodeError].
var (
	// ErrClosed: the Session was closed.
	ErrClosed = errors.New("session closed")
	// ErrDenied: the servers refuse what was asked for: the credentials, the certificate, or a
	// request beyond a limit that somebody has set. Only a person can mend it.
	ErrDenied = errors.New("denied")
	// ErrNoSession: there is no session now. The cause is joined to it.
	ErrNoSession = errors.New("no session")
	// ErrDisconnected: the Conn is down.
	ErrDisconnected = errors.New("connection lost")
	// ErrUnanswered: a server answered nothing but pings for a session timeout. The Conn is down.
	ErrUnanswered = errors.New("pings are answered, and requests are not")
	// ErrBadFrame: what a server sent cannot be right, by its length or by what it begins with. The
	// Conn is down, and the next one may be well.
	ErrBadFrame = errors.New("bad frame")
	// ErrTooLong: a reply is longer than 16 MiB. A list is that if two Conns, one after the other,
	// were about to bring one of about that length.
	ErrTooLong = errors.New("more than is accepted")
	// ErrNoAddWatch: the server has no persistent watches.
	ErrNoAddWatch = errors.New("no persistent watches")
	// ErrNoMultiRead: the server cannot read several nodes with one request.
	ErrNoMultiRead = errors.New("no multiRead")
)

// Reasons, which stand in the text of an error for an operator.
var (
	errClosedAtOnce = errors.New("closed at once")
	errUnproved     = errors.New("no answer to the credentials") // of a server that granted a session
	errMulti        = fmt.Errorf("%w: results of a multi that do not end within it", ErrBadFrame)
)

// refusal says why a server may have closed a connection without a word: ZooKeeper says nothing.
func (c Config) refusal() string {
	const text = "connection closed without an answer: the server is not serving, has as many " +
		"connections of this host as its maxClientCnxns allows, or has seen less than this session"
	if c.TLS.used() {
		return text
	}
	return text + ", or wants TLS"
}

// noConnectReply is the error for a frame of so many bytes where a connect reply is due. A server
// that wants TLS may answer with an alert (RFC 8446, section 6), whose first bytes are no length.
func noConnectReply(size int64) error {
	const alert = 0x1503 // its type, and the major version of the protocol
	if size>>16 == alert {
		return fmt.Errorf("%w: a TLS alert in place of a connect reply: the server wants TLS",
			ErrBadFrame)
	}
	return fmt.Errorf("%w of %d bytes in place of a connect reply: want a ZooKeeper", ErrBadFrame,
		size)
}

// tooLong is the error for a frame of so many bytes.
func tooLong(size int64) error {
	return fmt.Errorf("frame of %d bytes: %w, which is %d", size, ErrTooLong, maxFrame)
}
