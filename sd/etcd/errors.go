package etcd

import (
	"errors"
	"fmt"

	"example.com/daytime/sd"
)

// Why something did not come about. Callers match the errors of package sd; these are words for an
// operator, and for the loops here.
var (
	// Of the directory.
	errRemoved = errors.New("directory removed")
	errMissed  = errors.New("an event was missed")

	// Of an entry.
	errLost    = errors.New("registration lost")
	errChanged = errors.New("entry keeps changing")
)

// An unconfirmedError is a withdrawal that was not confirmed. The entry goes with its lease at the
// latest.
type unconfirmedError struct {
	key   string
	cause error
	ctx   error // of the Announce, which was to end
}

func (e *unconfirmedError) Error() string {
	return fmt.Sprintf("etcd: withdraw %s: %v: %v", e.key, sd.ErrUnconfirmed, e.cause)
}

func (e *unconfirmedError) Unwrap() []error { return []error{sd.ErrUnconfirmed, e.cause, e.ctx} }
