package sd

import (
	"context"
	"errors"

	"example.com/daytime/sd/policy"
)

// A Backend is one service's directory in a registry. Its methods may be called concurrently.
// Package sdtest executes this contract.
type Backend interface {
	// Watch calls emit with the whole set at once, and with every change after it, until ctx is
	// done (it returns ctx's error) or the set can no longer be vouched for (it returns why; the
	// caller calls again). Want says what is read beside the names; the zero Want is nothing, and
	// costs nothing.
	//
	// The first emit is a Reset, and a Reset is never partial. The watch is armed before the set is
	// read, so that no change falls in between. An entry that an Announce took over is not a gap.
	// While the directory does not exist there is no set: Watch emits nothing and waits for it, and
	// returns when it vanishes. While the registry cannot be reached it returns, as soon as that is
	// known. Emit is called from one goroutine at a time and never after Watch returned; it does
	// not block. Watch leaves no goroutine behind.
	Watch(ctx context.Context, want Want, emit func(Change)) error

	// Announce publishes entry, calls told from its own goroutine when the entry is visible, and
	// whenever it is withheld or visible again, and keeps it published until ctx is done (it
	// withdraws it and returns ctx's error) or it is lost (it returns why; the caller calls again).
	// Told does not block.
	//
	// Announce never removes an entry that is not its own: it returns an error that matches
	// [ErrConflict]. An error leaves open whether the entry exists. Called with a ctx that is done,
	// Announce only withdraws. The withdrawal takes 2 s at most; where it could not be confirmed
	// the error matches [ErrUnconfirmed] as well as ctx's, and the backend removes the entry at the
	// first contact. Announce leaves no goroutine behind.
	Announce(ctx context.Context, entry Entry, told func(Status)) error

	// Close ends every call and releases what Open took. What is still published is withdrawn as
	// far as the registry can be reached.
	Close() error
}

// A Want says what a Watch reads beside the names.
type Want struct{}

// A Change is the whole set (Reset) or the exact difference to the set before it. The slices are
// not changed by anybody once the Change is emitted.
type Change struct {
	Reset    bool     // Up is the whole set, Down is empty
	Up, Down []string // in no order; no name stands in both, or twice
	Withdrew []string // those of Down that left on purpose; the others were lost, as are all in doubt

	// Effective and Sides are what the policy makes of them, from an Instancer to its followers.
	// Those of Up that Effective lacks have the defaults; it also has members that changed. Sides is
	// nil unless it changed, or Reset.
	Effective map[string]policy.Effective
	Sides     []policy.Side
}

// size is how many instances changed, of a difference.
func (c Change) size() int { return len(c.Up) + len(c.Down) }

func (c Change) empty() bool { return c.size() == 0 }

// withdrew is Withdrew for look-ups, nil for none.
func (c Change) withdrew() map[string]struct{} {
	if len(c.Withdrew) == 0 {
		return nil
	}
	return setOf(c.Withdrew)
}

// An Entry is what Announce publishes.
type Entry struct {
	Instance string
}

// A Status is what Announce tells of its entry.
type Status struct {
	Phase Phase // Registered or Withheld
	Err   error // why it is withheld, such as the line of a policy
}

// What an error of a Backend can be told by, with [errors.Is].
var (
	// ErrConflict: the instance is registered by somebody else.
	ErrConflict = errors.New("registered by somebody else")
	// ErrUnconfirmed: a withdrawal could not be confirmed in time.
	ErrUnconfirmed = errors.New("withdrawal not confirmed")
	// ErrDenied: the registry refuses the operation or the credentials. The loops retry slowly,
	// because only a person can mend it.
	ErrDenied = errors.New("denied by the registry")
	// ErrClosed: the backend was closed.
	ErrClosed = errors.New("backend closed")
)
