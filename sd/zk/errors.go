package zk

import (
	"errors"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// Why something did not come about. Callers match the errors of package sd; these are words for an
// operator, and for the loops here.
var (
	// Of the session.
	errSilent           = errors.New("no reply yet")
	errCloseUnconfirmed = errors.New("closed without a server to tell, " +
		"so that the session ends by its timeout")

	// Of a node.
	errLost    = errors.New("registration lost")
	errChanged = errors.New("node keeps changing")
	errRevoked = errors.New("no longer wanted")
	errForeign = fmt.Errorf("%w: nothing to withdraw", sd.ErrConflict)
)

// errReadOnly is of a directory in the layout of another system.
var errReadOnly = fmt.Errorf("a directory in the layout of another system %w", sd.ErrNoAnnounce)

// An unconfirmedError is a withdrawal that was not confirmed. The node goes with its session at the
// latest.
type unconfirmedError struct {
	path  string
	cause error
	ctx   error // of the Announce, which was to end
}

func (e *unconfirmedError) Error() string {
	return fmt.Sprintf("zk: withdraw %s: %v: %v", e.path, sd.ErrUnconfirmed, e.cause)
}

func (e *unconfirmedError) Unwrap() []error { return []error{sd.ErrUnconfirmed, e.cause, e.ctx} }

// A markedError is an error of this package that callers know by one of package sd's.
type markedError struct {
	error
	mark error
}

func (e *markedError) Unwrap() []error { return []error{e.mark, e.error} }

// translate gives the errors of packages session and watch, and of ZooKeeper, the marks of package
// sd. The methods of Backend apply it to what they return.
func translate(err error) error {
	switch {
	case errors.Is(err, sd.ErrClosed), errors.Is(err, sd.ErrDenied):
		return err
	case errors.Is(err, session.ErrNoAddWatch):
		return err // lists do without, whatever it was refused with
	case errors.Is(err, session.ErrClosed):
		return &markedError{err, sd.ErrClosed}
	case errors.Is(err, watch.ErrMissing):
		return &markedError{err, sd.ErrNoDirectory}
	case errors.Is(err, session.ErrDenied):
		return &markedError{err, sd.ErrDenied}
	case errors.Is(err, gozk.ErrNoAuth), errors.Is(err, gozk.ErrInvalidACL):
		return fmt.Errorf("%w (%w)", err, sd.ErrDenied)
	}
	return err
}

// asChanged turns the errors of somebody else's change into errChanged.
func asChanged(err error) error {
	for _, known := range []error{gozk.ErrNoNode, gozk.ErrNodeExists, gozk.ErrBadVersion} {
		if errors.Is(err, known) {
			return errChanged
		}
	}
	return err
}
