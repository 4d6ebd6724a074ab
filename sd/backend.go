package sd

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd/internal/backoff"
	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/policy"
)

// A Backend is one service's directory in a registry. Its methods may be called concurrently.
// Package sdtest executes this contract.
type Backend interface {
	// Watch calls emit with the whole set at once, and with every change after it, until ctx is
	// done (it returns ctx's error) or the set can no longer be vouched for (it returns why; the
	// caller calls again). Want says what is read beside the names; the zero Want is nothing, and
	// costs nothing. A part that the backend cannot serve is no error: the Change says which is
	// lacking.
	//
	// The first emit is a Reset, and a Reset is never partial. The watch is armed before the set is
	// read, so that no change falls in between. An entry that an Announce took over is not a gap.
	// While the directory does not exist there is no set: Watch emits nothing and waits for it, and
	// returns when it vanishes. While the registry cannot be reached it returns, as soon as that is
	// known. Emit is called from one goroutine at a time and never after Watch returned; it does
	// not block. Watch leaves no goroutine behind.
	Watch(ctx context.Context, want Want, emit func(Change)) error

	// Announce publishes entry, calls told when the entry is visible, and whenever it is withheld
	// or visible again, and keeps it published until ctx is done (it withdraws it and returns ctx's
	// error) or it is lost (it returns why; the caller calls again). Told does not block, and is
	// called on the goroutine that called Announce.
	//
	// While the policy withholds the entry it is not published, or withdrawn again; that is read
	// before the first publication, also before each one after a loss. It is no loss, and no
	// conflict with another's entry, which stays.
	//
	// Announce never removes an entry that is not its own: it returns an error that matches
	// [ErrConflict]. An error leaves open whether the entry exists. Called with a ctx that is done,
	// Announce only withdraws. The withdrawal takes 2 s at most; where it could not be confirmed
	// the error matches [ErrUnconfirmed] as well as ctx's, and the backend removes the entry at the
	// first contact. Announce leaves no goroutine behind.
	Announce(ctx context.Context, entry Entry, told func(Status)) error

	// Close ends every call and releases what Open took. Entries that are still published are
	// withdrawn as far as the registry can be reached.
	Close() error
}

// A Want says what a Watch reads beside the names. The zero Want is nothing.
type Want struct {
	Attributes bool // of the instances
	Policy     bool // the directory's
}

// A Change is the whole set (Reset) or the exact difference to the set before it, and what was
// asked for beside the names. It may be about attributes or the policy alone. Slices and maps are
// not changed by anybody once the Change is emitted.
type Change struct {
	Reset    bool     // Up is the whole set, Down is empty
	Up, Down []string // in no order; no name stands in both, or twice
	// Those of Down that left on purpose; the others were lost, as are all in doubt.
	Withdrew []string

	// Attributes are those of Up, and of members whose attributes are others now. A name of Up that
	// is missing, or has the zero value, says nothing of itself. They come in the Change that their
	// names come in.
	Attributes map[string]policy.Attributes
	// Unread are instances of Up, and members, whose attributes could not be read. Those of a name
	// of Up are as if it said nothing, those of a member stay as they were. They are read again.
	Unread []string
	// Policy is the policy as it is now, nil if it is as before. The first Reset of a Watch has it.
	Policy *PolicyText
	// Lacking is what was asked for and is not told: the backend has none, or it could not be read
	// in time. In a first Reset it stands for a Policy, and later it says that there is another
	// policy than the last one told. A Change with a Policy ends that.
	Lacking Want
	// Ignored says that the directory has a policy which Want did not ask for.
	Ignored bool

	// Effective is the result of attributes and policy, for those of Up, for members whose result is
	// another now, and for those that were lost: what it was then, unless that was told, and for ten
	// minutes what another policy makes of them. A name of Up that is missing has the value of a bare
	// name without a policy. A backend leaves it nil; an Instancer sets it in the Changes of Follow,
	// see [FollowPolicy].
	Effective map[string]policy.Effective
	// Sides are the parts of a split by the policy's shares; an Instancer sets them as well. Nil
	// means in a Reset that nothing is split, and otherwise that the split is as before; empty, and
	// not nil, means that the split has ended.
	Sides []policy.Side
}

// toFanout is the part of a Change that an Instancer hands on.
func (c Change) toFanout() fanout.Change {
	f := fanout.Change{
		Reset: c.Reset, Up: c.Up, Down: c.Down, Withdrew: c.Withdrew,
		Attributes: c.Attributes, Unread: c.Unread, Lacking: c.Lacking.Policy,
	}
	if c.Policy != nil {
		text := fanout.PolicyText(*c.Policy)
		f.Policy = &text
	}
	return f
}

// fromFanout is the Change that a follower is told.
func fromFanout(f fanout.Change) Change {
	return Change{
		Reset: f.Reset, Up: f.Up, Down: f.Down, Withdrew: f.Withdrew,
		Effective: f.Effective, Sides: f.Sides,
	}
}

// An Entry is what Announce publishes.
type Entry struct {
	Instance   string
	Attributes policy.Attributes
	// Changes tells the attributes that follow, the newest one alone, until Announce has returned.
	// They replace the entry's without a gap. Nil, or not received from, it is without effect; once
	// it is closed there are no more.
	Changes <-chan policy.Attributes
}

// A Status is what Announce tells of its entry.
type Status struct {
	Phase Phase // Registered or Withheld
	Err   error // why it is withheld: by which line of the policy
}

// A PolicyText is a policy as it stands in the registry.
type PolicyText struct {
	Document string // see package policy; empty is none
	Version  int64  // of the document, for a compare-and-set; another one for each write
}

// A PolicyStore is a Backend of a directory that has a policy.
type PolicyStore interface {
	Backend

	// ReadPolicy returns the policy as it is now, and its version. No policy is an empty document
	// and no error.
	ReadPolicy(ctx context.Context) (document string, version int64, err error)

	// WritePolicy replaces the policy if it still has that version, and otherwise returns an error
	// that matches [ErrOutdated]. An error that matches neither that nor [ErrDenied] leaves open
	// whether it was written. It does not parse the document.
	WritePolicy(ctx context.Context, document string, version int64) error
}

// PolicyOf returns b as a PolicyStore, or an error that matches [ErrNoPolicy].
func PolicyOf(b Backend) (PolicyStore, error) {
	store, ok := b.(PolicyStore)
	if !ok {
		return nil, fmt.Errorf("sd: %w", ErrNoPolicy)
	}
	return store, nil
}

// A Diagnoser is a Backend that can say at any time, without waiting, why it does not answer: the
// reason for a Watch that holds and has not emitted, or nil. An Instancer shows it in its State.
type Diagnoser interface {
	Err() error
}

// A Waker is a Backend that knows when a call that failed is worth repeating, so that nothing waits
// out a pause when the registry is back. Ready is called with the error that a Watch or an Announce
// has returned. The channel is closed once the cause is over, which it may be by now; nil says that
// this is not known.
type Waker interface {
	Ready(err error) <-chan struct{}
}

// rest pauses after a call of b that failed with err.
func rest(ctx context.Context, pause *backoff.Backoff, b Backend, err error) {
	var ready <-chan struct{}
	if b, ok := b.(Waker); ok {
		ready = b.Ready(err)
	}
	pause.Wait(ctx, errors.Is(err, ErrDenied), ready)
}

// The errors of a Backend, for [errors.Is].
var (
	// ErrConflict: the instance is registered by somebody else.
	ErrConflict = errors.New("registered by somebody else")
	// ErrUnconfirmed: a withdrawal could not be confirmed in time.
	ErrUnconfirmed = errors.New("withdrawal not confirmed")
	// ErrDenied: the registry refuses the operation or the credentials. The loops retry slowly,
	// because only a person can mend it.
	ErrDenied = errors.New("denied by the registry")
	// ErrNoAnnounce: the registry can be read, and takes no registration.
	ErrNoAnnounce = fmt.Errorf("takes no registration: %w", ErrDenied)
	// ErrNoPolicy: the registry has no policy.
	ErrNoPolicy = errors.New("this registry has no policy")
	// ErrOutdated: the policy has another version than the one that was to be replaced.
	ErrOutdated = errors.New("somebody else has written the policy")
	// ErrNoDirectory: the registry answers, and has no such directory; nobody registered there yet.
	ErrNoDirectory = errors.New("there is no such directory, so nobody has registered there")
	// ErrClosed: the backend was closed, the Instancer stopped, or the instance deregistered.
	ErrClosed = errors.New("closed")
)
