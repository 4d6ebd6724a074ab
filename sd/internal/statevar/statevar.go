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
// not a settled one. Its methods may be called concurrently.
type Var[P ~string] struct {
	settled   func(P) bool
	log       func(s State[P], lasts time.Duration)
	observe   func(State[P]) // nil for none
	errClosed error

	mu          sync.Mutex
	state       State[P]
	told        told[P]
	reminder    *time.Timer   // runs while the var is open and the phase not settled
	reached     chan struct{} // closed when a settled phase begins, and replaced
	closed      chan struct{} // closed by End, replaced by Begin
	subscribers map[*mailbox.Mailbox]struct{}
	finished    bool // there are no subscribers any more
}

// A told is what was logged last; the zero value is nothing.
type told[P ~string] struct {
	phase  P
	reason string
	at     time.Time
}

// New returns a Var in phase p, which is not open yet. Settled are the phases that are waited for.
// Log writes a line, without blocking; lasts is 0 but in a reminder. Await returns errClosed after
// End.
func New[P ~string](
	p P, settled func(P) bool, log func(s State[P], lasts time.Duration), errClosed error,
) *Var[P] {
	v := &Var[P]{
		settled:     settled,
		log:         log,
		errClosed:   errClosed,
		state:       State[P]{Phase: p, Since: time.Now()},
		reached:     make(chan struct{}),
		closed:      make(chan struct{}),
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

// Begin opens v in phase p, without a line: there is nothing to say yet.
func (v *Var[P]) Begin(p P) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed() {
		v.closed = make(chan struct{})
	}
	v.told = told[P]{}
	v.move(p, nil)
	v.reminder.Reset(reminderPause)
}

// Set moves v to p because of err, and logs that if it is news.
func (v *Var[P]) Set(p P, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.move(p, err)
	if !v.isOpenAndUnsettled() {
		v.reminder.Stop()
	}
	if v.isNews() {
		v.tell(0)
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

// End closes v in phase p, without a line. Every Await returns.
func (v *Var[P]) End(p P, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = told[P]{}
	v.move(p, err)
	v.reminder.Stop()
	if !v.isClosed() {
		close(v.closed)
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
	if v.settled(p) && !v.settled(before.Phase) {
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

// isNews reports whether the state is worth a line beside what was told last.
func (v *Var[P]) isNews() bool {
	reason := text(v.state.Err)
	switch {
	case v.state.Phase != v.told.phase:
		return true
	case reason == v.told.reason:
		return false
	}
	return reason == "" || v.told.reason == "" || time.Since(v.told.at) >= reasonPause
}

// tell logs the state. The caller holds the lock, which is no harm: the log does not block.
func (v *Var[P]) tell(lasts time.Duration) {
	v.told = told[P]{v.state.Phase, text(v.state.Err), time.Now()}
	if v.isOpenAndUnsettled() {
		v.reminder.Reset(reminderPause)
	}
	v.log(v.state, lasts)
}

// remind logs the state again, when the reminder's time has passed.
func (v *Var[P]) remind() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isOpenAndUnsettled() { // it may have ended when the timer had fired
		v.tell(time.Since(v.state.Since))
	}
}

func (v *Var[P]) isOpenAndUnsettled() bool { return !v.settled(v.state.Phase) && !v.isClosed() }

// isClosed reports whether End was called since Begin. The caller holds the lock.
func (v *Var[P]) isClosed() bool {
	select {
	case <-v.closed:
		return true
	default:
		return false
	}
}

// Await returns nil once the phase is a settled one, errClosed after End, and otherwise, when ctx
// is done, ctx's error and why the phase is no settled one. A ctx that is done already hides
// neither of the first two.
func (v *Var[P]) Await(ctx context.Context, state func() State[P]) error {
	v.mu.Lock()
	isSettled, isClosed := v.settled(v.state.Phase), v.isClosed()
	reached, closed := v.reached, v.closed
	v.mu.Unlock()
	switch {
	case isSettled:
		return nil
	case isClosed:
		return v.awaitError(v.errClosed)
	}
	select {
	case <-reached:
		return nil
	case <-closed:
		return v.awaitError(v.errClosed)
	case <-ctx.Done():
	}
	s := state()
	lasts := time.Since(s.Since).Round(time.Millisecond)
	err := fmt.Errorf("%w: %s for %v", ctx.Err(), s.Phase, lasts)
	if s.Err != nil {
		err = fmt.Errorf("%w: %w", err, s.Err)
	}
	return v.awaitError(err)
}

func (*Var[P]) awaitError(cause error) error { return fmt.Errorf("sd: await: %w", cause) }

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
