package sd

import (
	"context"
	"fmt"
	"time"

	"example.com/daytime/sd/internal/statevar"
)

// A Phase is where an [Instancer] or a [Registrar] stands.
type Phase string

// The phases of an Instancer.
const (
	Unknown Phase = "unknown" // the registry has not answered yet
	Live    Phase = "live"    // the set is what the registry says
	Stale   Phase = "stale"   // the registry cannot be read; the last set is kept
)

// The phases of a Registrar.
const (
	Withdrawn   Phase = "withdrawn"   // not wanted; with ErrUnconfirmed while that is not confirmed
	Registering Phase = "registering" // wanted, not visible yet
	Registered  Phase = "registered"  // visible in the registry
	Lost        Phase = "lost"        // was visible, is wanted, and cannot be vouched for now
	Conflict    Phase = "conflict"    // somebody else is registered under the instance
	Withheld    Phase = "withheld"    // wanted, and kept out of the registry by its operator
)

// A State is a phase, when it began, and the error that explains it, if any. The error may change
// within a phase; Since does not.
type State struct {
	Phase Phase
	Since time.Time
	Err   error
	Parts []PartState // of a union (see [Join]), in its order; nil otherwise
}

// A stateVar is the state of a loop.
type stateVar = statevar.Var[Phase]

// await waits for a phase that is a goal.
func await(ctx context.Context, v *stateVar, state func() State) error {
	return v.Await(ctx, func() statevar.State[Phase] {
		s := state()
		return statevar.State[Phase]{Phase: s.Phase, Since: s.Since, Err: s.Err}
	})
}

// follow has fn called with the states.
func follow(v *stateVar, fn func(State)) (stop func()) {
	return v.Follow(func(s statevar.State[Phase]) { fn(stateOf(s)) })
}

// stateOf is the State of a loop that is no union.
func stateOf(s statevar.State[Phase]) State {
	return State{Phase: s.Phase, Since: s.Since, Err: s.Err}
}

// String is one line for a person: the phase, for how long, and why.
func (s State) String() string {
	line := fmt.Sprintf("%s for %s", s.Phase, time.Since(s.Since).Round(time.Millisecond))
	if s.Err != nil {
		line += ": " + s.Err.Error()
	}
	return line
}
