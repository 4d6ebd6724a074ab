package sd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd/internal/statevar"
	"github.com/go-kit/log/level"
)

// begin begins the state, of which log writes the lines.
func (i *Instancer) begin(log func(statevar.State[Phase], time.Duration)) {
	isLive := func(p Phase) bool { return p == Live }
	i.state = statevar.New(Unknown, isLive, log, ErrClosed)
	i.state.Begin(Unknown)
}

// noteHeld has the state say why the present Watch holds, as far as the backend can say, instead of
// why an earlier one failed. It reports whether there is no set yet.
func (i *Instancer) noteHeld(reason error) bool {
	switch phase := i.state.Get().Phase; {
	case phase == Live:
		return false
	case reason != nil:
		i.state.Set(phase, reason)
	case phase == Unknown:
		i.state.Explain(nil)
	default:
		i.state.Explain(errHeld)
	}
	return true
}

// interrupted notes that the set cannot be vouched for.
func (i *Instancer) interrupted(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state.Set(i.unvouched(), err)
}

// moveTo sets the phase and the error of s, and since when if s says so. The caller holds the lock,
// so that a union finds all of it or nothing.
func (i *Instancer) moveTo(s State) {
	i.state.Set(s.Phase, s.Err)
	if !s.Since.IsZero() {
		i.state.Backdate(s.Since)
	}
}

// unvouched is the phase while nobody vouches for the set.
func (i *Instancer) unvouched() Phase {
	if i.fanout.IsKnown() {
		return Stale
	}
	return Unknown
}

// logState writes the line of a state.
func (i *Instancer) logState(s statevar.State[Phase], lasts time.Duration) {
	line := []any{"msg", "discovery " + string(s.Phase), "instances", i.fanout.Size()}
	if s.Phase == Live && s.Err == nil {
		level.Info(i.logger).Log(line...)
		return
	}
	if lasts > 0 {
		line = append(line, "for", lasts.Round(time.Second))
	}
	level.Warn(i.logger).Log(append(line, "err", cmp.Or(s.Err, errHeld))...)
}

// State says whether the set is live, stale or unknown, since when, and why.
func (i *Instancer) State() State {
	i.mu.Lock()
	s := stateOf(i.state.Get())
	i.mu.Unlock()
	switch {
	case s.Phase == Unknown && s.Err == nil:
		s.Err = i.diagnosis()
	case errors.Is(s.Err, errUnanswered):
		if why := i.diagnosis(); why != nil {
			s.Err = fmt.Errorf("%w: %w", s.Err, why)
		}
	}
	return i.joint.in(s)
}

// diagnosis is why the backend does not answer, as far as it can say.
func (i *Instancer) diagnosis() error {
	if d, ok := i.backend.(Diagnoser); ok {
		return d.Err()
	}
	return nil
}

// Await returns nil as soon as the set is live, at once if it is. It returns an error that matches
// [ErrClosed] after Stop, and otherwise, when ctx is done, one that matches ctx's error and the one
// of [Instancer.State].
func (i *Instancer) Await(ctx context.Context) error { return await(ctx, i.state, i.State) }

// States subscribes fn to the state. Fn is called with the present one, then with the latest
// whenever that is another one, from one goroutine. Changes while fn runs are merged, so a short
// phase may not be told. Stop ends the subscription: fn is not running after it returned, so fn
// itself must not call it. Stop of the Instancer tells the last state and ends it too.
func (i *Instancer) States(fn func(State)) (stop func()) {
	return follow(i.state, func(s State) { fn(i.joint.in(s)) })
}
