package session

import (
	"errors"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/zk/session/internal/wire"
)

// The errors of this package, for [errors.Is]. Errors of ZooKeeper itself are go-zookeeper's, or a
// *[CodeError].
var (
	// ErrClosed: the Session was closed.
	ErrClosed = errors.New("session closed")
	// ErrDenied: the servers refuse what was asked for: the credentials, the certificate, or a
	// request beyond a limit that somebody has set. Only a person can mend it.
	ErrDenied = wire.ErrDenied
	// ErrNoSession: there is no session now. The cause is joined to it.
	ErrNoSession = errors.New("no session")
	// ErrDisconnected: the Conn is down.
	ErrDisconnected = errors.New("connection lost")
	// ErrUnanswered: a server answered nothing but pings for a session timeout. The Conn is down.
	ErrUnanswered = wire.ErrUnanswered
	// ErrBadFrame: what a server sent cannot be right, by its length or by what it begins with. The
	// Conn is down, and the next one may be well.
	ErrBadFrame = wire.ErrBadFrame
	// ErrTooLong: a reply is longer than 16 MiB. A list is that if two Conns, one after the other,
	// were about to bring one of about that length.
	ErrTooLong = wire.ErrTooLong
	// ErrNoAddWatch: the server has no persistent watches.
	ErrNoAddWatch = errors.New("no persistent watches")
	// ErrNoMultiRead: the server cannot read several nodes with one request.
	ErrNoMultiRead = errors.New("no multiRead")
	// ErrNoNode and ErrNoAuth are go-zookeeper's, for who knows it through this package alone.
	ErrNoNode = gozk.ErrNoNode
	ErrNoAuth = gozk.ErrNoAuth
)

// errClosedAtOnce: a server accepted the connection, and closed it before it was known here.
var errClosedAtOnce = errors.New("closed at once")

// refusal says why a server may have closed a connection without a word: ZooKeeper says nothing.
func (c Config) refusal() string {
	const text = "connection closed without an answer: the server is not serving, has as many " +
		"connections of this host as its maxClientCnxns allows, or has seen less than this session"
	if c.TLS.used() {
		return text
	}
	return text + ", or wants TLS"
}
