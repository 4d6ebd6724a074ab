package zk

import (
	"errors"
	"fmt"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// Why something did not come about. Callers match the errors of package sd; these
// are words for an operator, and for the loops here.
var (
	// Of a connection.
	errRefused  = errors.New("connection closed without an answer: the server is not serving, or has seen less than this session")
	errUnproved = errors.New("no answer to the credentials") // of a server that granted a session
	errMulti    = errors.New("results of a multi that do not end within their frame")
	errTooLong  = errors.New("more than is accepted")

	// Of the session.
	errNoSession = errors.New("no session")
	errSilent    = errors.New("no reply yet")
	errNoGoodbye = errors.New("closed without a server to tell, so that the session ends by its timeout")

	// Of the directory.
	errDisconnected = errors.New("connection lost")
	errRemoved      = errors.New("directory removed")
	errOutdated     = errors.New("answers from an older state than was seen before")
	errMissed       = errors.New("an event was missed")

	// Of a node.
	errLost    = errors.New("registration lost")
	errChanged = errors.New("node keeps changing")
	errRevoked = errors.New("no longer wanted")
)

// An unconfirmedError is a withdrawal that was not confirmed. The node goes with
// its session at the latest.
type unconfirmedError struct {
	path  string
	cause error
	ctx   error // of the Announce, which was to end
}

func (e *unconfirmedError) Error() string {
	return fmt.Sprintf("zk: withdraw %s: %v: %v", e.path, sd.ErrUnconfirmed, e.cause)
}

func (e *unconfirmedError) Unwrap() []error { return []error{sd.ErrUnconfirmed, e.cause, e.ctx} }

// denied marks the errors that only a person can mend.
func denied(err error) error {
	for _, known := range []error{gozk.ErrNoAuth, gozk.ErrInvalidACL, gozk.ErrAuthFailed} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", sd.ErrDenied, err)
		}
	}
	return err
}

// changed turns the errors of somebody else's change into errChanged.
func changed(err error) error {
	for _, known := range []error{gozk.ErrNoNode, gozk.ErrNodeExists, gozk.ErrBadVersion} {
		if errors.Is(err, known) {
			return errChanged
		}
	}
	return err
}
