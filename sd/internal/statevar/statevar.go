// Package statevar holds the state of a loop, which can be read, followed and waited for, and logs
// its changes.
package statevar

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/daytime/sd/internal/mailbox"
)

const (
	// reasonPause is the least time between two log lines about one phase, whose reason may
	// alternate as one host after another is tried.
	reasonPause = 30 * time.Second
	// reminderPause is the time between two log lines about a phase that ought not to last.
	reminderPause = 3 * time.Minute
)

// A State is sd.State, for phases of any type.
type State[P ~string] struct {
	Phase P
	Since time.Time
	Err   error
}

// A Var is the State of a loop, those who follow it or wait for it, and its log: a line for a new
// phase, for the end of an error, now and then for another error, and a reminder while the phase is
// no goal. Its methods may be called concurrently.
type Var[P ~string] struct {
	isGoal    func(P) bool // the phases that are waited for
	log       func(s State[P], lasts time.Duration)
	observe   func(State[P]) // nil for none
	errClosed error

	mu          sync.Mutex
	state       State[P]
	logged      line[P]
	reminder    *time.Timer   // runs from Begin to End while the phase is no goal
	reached     chan struct{} // closed when a goal is reached, and replaced
	ended       chan struct{} // closed by End, replaced by Begin
	subscribers map[*mailbox.Mailbox]struct{}
	finished    bool // there are no subscribers any more
}

// A line is what the log says; the zero value is nothing.
type line[P ~string] struct {
	phase  P
	reason string
	at     time.Time
}

// New returns a Var in phase p, which has not begun, and so has no reminder. Log writes a line,
// without blocking; lasts is 0 but in a reminder. Await returns errClosed after End.
func New[P ~string](
	p P, isGoal func(P) bool, log func(s State[P], lasts time.Duration), errClosed error,
) *Var[P] {
	v := &Var[P]{
		isGoal:      isGoal,
		log:         log,
		errClosed:   errClosed,
		state:       State[P]{Phase: p, Since: time.Now()},
		reached:     make(chan struct{}),
		ended:       make(chan struct{}),
		subscribers: map[*mailbox.Mailbox]struct{}{},
	}
	v.reminder = time.AfterFunc(reminderPause, v.remind)
	v.reminder.Stop()
	return v
}

// Observe has fn called with the state, and with each one that has another phase or beginning,
// under the lock of v: fn must not block, and must not use v. It is called once.
func (v *Var[P]) Observe(fn func(State[P])) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.observe = fn
	fn(v.state)
}

// Get returns the state.
func (v *Var[P]) Get() State[P] {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// Begin begins v in phase p, without a line: there is nothing to say yet.
func (v *Var[P]) Begin(p P) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hasEnded() {
		v.ended = make(chan struct{})
	}
	v.logged = line[P]{phase: p}
	v.move(p, nil)
	v.reminder.Reset(reminderPause)
}

// Set moves v to p because of err, and logs that if it is news.
func (v *Var[P]) Set(p P, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.move(p, err)
	if !v.needsReminder() {
		v.reminder.Stop()
	}
	if v.isNews() {
		v.logState(0)
	}
}

// Explain gives the phase another error, without a line.
func (v *Var[P]) Explain(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.move(v.state.Phase, err)
}

// Backdate makes the phase begin earlier than it was set.
func (v *Var[P]) Backdate(since time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.Since = since
	v.observed()
	v.notify()
}

// End ends v in phase p, without a line. Every Await returns.
func (v *Var[P]) End(p P, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.logged = line[P]{}
	v.move(p, err)
	v.reminder.Stop()
	if !v.hasEnded() {
		close(v.ended)
	}
}

// move is the one place where the state changes. The caller holds the lock.
func (v *Var[P]) move(p P, err error) {
	before := v.state
	if before.Phase == p && before.Err == nil && err == nil {
		return
	}
	v.state.Phase, v.state.Err = p, err
	if before.Phase != p {
		v.state.Since = time.Now()
		v.observed()
	}
	if v.isGoal(p) && !v.isGoal(before.Phase) {
		close(v.reached)
		v.reached = make(chan struct{})
	}
	v.notify()
}

// observed tells the observer. The caller holds the lock.
func (v *Var[P]) observed() {
	if v.observe != nil {
		v.observe(v.state)
	}
}

// notify wakes the subscribers. The caller holds the lock.
func (v *Var[P]) notify() {
	for m := range v.subscribers {
		m.Notify()
	}
}

// isNews reports whether the state is worth a line beside the one that was logged last.
func (v *Var[P]) isNews() bool {
	reason := text(v.state.Err)
	switch {
	case v.state.Phase != v.logged.phase:
		return true
	case reason == v.logged.reason:
		return false
	}
	return reason == "" || v.logged.reason == "" || time.Since(v.logged.at) >= reasonPause
}

// logState writes a line. The caller holds the lock, which is no harm: the log does not block.
func (v *Var[P]) logState(lasts time.Duration) {
	v.logged = line[P]{v.state.Phase, text(v.state.Err), time.Now()}
	if v.needsReminder() {
		v.reminder.Reset(reminderPause)
	}
	v.log(v.state, lasts)
}

// remind logs the state again, when the reminder's time has passed.
func (v *Var[P]) remind() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.needsReminder() { // it may have ended when the timer had fired
		v.logState(time.Since(v.state.Since))
	}
}

func (v *Var[P]) needsReminder() bool { return !v.isGoal(v.state.Phase) && !v.hasEnded() }

// hasEnded reports whether End was called since Begin. The caller holds the lock.
func (v *Var[P]) hasEnded() bool {
	select {
	case <-v.ended:
		return true
	default:
		return false
	}
}

// Await returns nil once the phase is a goal, errClosed after End, and otherwise, when ctx is done,
// ctx's error with what state returns then. A ctx that is done already hides neither of the first
// two.
func (v *Var[P]) Await(ctx context.Context, state func() State[P]) error {
	v.mu.Lock()
	isReached, hasEnded := v.isGoal(v.state.Phase), v.hasEnded()
	reached, ended := v.reached, v.ended
	v.mu.Unlock()
	switch {
	case isReached:
		return nil
	case hasEnded:
		return awaitError(v.errClosed)
	}
	select {
	case <-reached:
		return nil
	case <-ended:
		return awaitError(v.errClosed)
	case <-ctx.Done():
	}
	s := state()
	lasts := time.Since(s.Since).Round(time.Millisecond)
	err := fmt.Errorf("%w: %s for %v", ctx.Err(), s.Phase, lasts)
	if s.Err != nil {
		err = fmt.Errorf("%w: %w", err, s.Err)
	}
	return awaitError(err)
}

func awaitError(cause error) error { return fmt.Errorf("sd: await: %w", cause) }

// Follow has fn called with the state, and with each one that is another when fn is ready for it,
// until the function it returns is called, which waits for fn.
func (v *Var[P]) Follow(fn func(State[P])) (stop func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.finished {
		return func() {}
	}
	var last State[P]
	m := mailbox.New(0, func(*mailbox.Mailbox) {
		s := v.Get()
		if s.Phase == last.Phase && s.Since.Equal(last.Since) && text(s.Err) == text(last.Err) {
			return
		}
		last = s
		fn(s)
	})
	v.subscribers[m] = struct{}{}
	m.Notify()
	return func() {
		m.Close()
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.subscribers, m) // not before, so that Finish waits as well
	}
}

// Finish tells every subscriber the last state, and ends and awaits it.
func (v *Var[P]) Finish() {
	v.mu.Lock()
	v.finished = true
	all := slices.Collect(maps.Keys(v.subscribers))
	v.mu.Unlock()
	for _, m := range all {
		m.Finish()
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
