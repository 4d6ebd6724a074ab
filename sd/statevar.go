package sd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// reasonPause is the least time between two log lines about one phase, whose reason may
	// alternate as one host after another is tried.
	reasonPause = 30 * time.Second
	// reminderPause is the time between two log lines about a phase that ought not to last.
	reminderPause = 3 * time.Minute
)

// A stateVar is the State of an Instancer or a Registrar, those who follow it or wait for it, and
// its log: a line for a new phase, for the end of an error, now and then for another error, and a
// reminder while the phase is not a settled one. Its methods may be called concurrently.
type stateVar struct {
	settled func(Phase) bool
	log     func(s State, lasts time.Duration) // writes a line; lasts is 0 but in a reminder

	mu          sync.Mutex
	state       State
	told        told
	reminder    *time.Timer   // runs while the var is open and the phase not settled
	reached     chan struct{} // closed when a settled phase begins, and replaced
	closed      chan struct{} // closed by end, replaced by begin
	subscribers map[*mailbox]struct{}
	finished    bool // there are no subscribers any more
}

// A told is what was logged last; the zero value is nothing.
type told struct {
	phase  Phase
	reason string
	at     time.Time
}

// newStateVar returns a stateVar in phase p, which is not open yet.
func newStateVar(p Phase, settled func(Phase) bool, log func(State, time.Duration)) *stateVar {
	v := &stateVar{
		settled:     settled,
		log:         log,
		state:       State{Phase: p, Since: time.Now()},
		reached:     make(chan struct{}),
		closed:      make(chan struct{}),
		subscribers: map[*mailbox]struct{}{},
	}
	v.reminder = time.AfterFunc(reminderPause, v.remind)
	v.reminder.Stop()
	return v
}

func (v *stateVar) get() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// begin opens v in phase p, without a line: there is nothing to say yet.
func (v *stateVar) begin(p Phase) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed() {
		v.closed = make(chan struct{})
	}
	v.told = told{}
	v.move(p, nil)
	v.reminder.Reset(reminderPause)
}

// set moves v to p because of err, and logs that if it is news.
func (v *stateVar) set(p Phase, err error) {
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

// explain gives the phase another error, without a line.
func (v *stateVar) explain(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.move(v.state.Phase, err)
}

// backdate makes the phase begin earlier than it was set.
func (v *stateVar) backdate(since time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.Since = since
	v.notify()
}

// end closes v in phase p, without a line. Whoever waits for a settled phase does so in vain.
func (v *stateVar) end(p Phase, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = told{}
	v.move(p, err)
	v.reminder.Stop()
	if !v.isClosed() {
		close(v.closed)
	}
}

// move is the one place where the state changes. The caller holds the lock.
func (v *stateVar) move(p Phase, err error) {
	before := v.state
	if before.Phase == p && before.Err == nil && err == nil {
		return
	}
	v.state.Phase, v.state.Err = p, err
	if before.Phase != p {
		v.state.Since = time.Now()
	}
	if v.settled(p) && !v.settled(before.Phase) {
		close(v.reached)
		v.reached = make(chan struct{})
	}
	v.notify()
}

// notify wakes the subscribers. The caller holds the lock.
func (v *stateVar) notify() {
	for m := range v.subscribers {
		m.notify()
	}
}

// isNews reports whether the state is worth a line beside what was told last.
func (v *stateVar) isNews() bool {
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
func (v *stateVar) tell(lasts time.Duration) {
	v.told = told{v.state.Phase, text(v.state.Err), time.Now()}
	if v.isOpenAndUnsettled() {
		v.reminder.Reset(reminderPause)
	}
	v.log(v.state, lasts)
}

// remind is what the reminder does.
func (v *stateVar) remind() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isOpenAndUnsettled() { // it may have ended when the timer had fired
		v.tell(time.Since(v.state.Since))
	}
}

func (v *stateVar) isOpenAndUnsettled() bool { return !v.settled(v.state.Phase) && !v.isClosed() }

// isClosed reports whether end was called since begin. The caller holds the lock.
func (v *stateVar) isClosed() bool {
	select {
	case <-v.closed:
		return true
	default:
		return false
	}
}

// await returns nil once the phase is a settled one, ErrClosed after end, and otherwise, when ctx
// is done, ctx's error and why the phase is no settled one.
func (v *stateVar) await(ctx context.Context, state func() State) error {
	v.mu.Lock()
	s, reached, closed := v.state, v.reached, v.closed
	v.mu.Unlock()
	if v.settled(s.Phase) {
		return nil
	}
	select {
	case <-reached:
		return nil
	case <-closed:
		return fmt.Errorf("sd: await: %w", ErrClosed)
	case <-ctx.Done():
	}
	s = state()
	lasts := time.Since(s.Since).Round(time.Millisecond)
	if s.Err == nil {
		return fmt.Errorf("sd: await: %w: %s for %v", ctx.Err(), s.Phase, lasts)
	}
	return fmt.Errorf("sd: await: %w: %s for %v: %w", ctx.Err(), s.Phase, lasts, s.Err)
}

// follow has fn called with the state, and with each one that is another when fn is ready for it,
// until the function it returns is called, which waits for fn.
func (v *stateVar) follow(fn func(State)) (stop func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.finished {
		return func() {}
	}
	var last State
	m := newMailbox(0, func(*mailbox) {
		s := v.get()
		if s.Phase == last.Phase && s.Since.Equal(last.Since) && text(s.Err) == text(last.Err) {
			return
		}
		last = s
		fn(s)
	})
	v.subscribers[m] = struct{}{}
	m.notify()
	return func() {
		m.close()
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.subscribers, m) // not before, so that finish waits as well
	}
}

// finish tells every subscriber the last state, and ends and awaits it.
func (v *stateVar) finish() {
	v.mu.Lock()
	v.finished = true
	all := slices.Collect(maps.Keys(v.subscribers))
	v.mu.Unlock()
	for _, m := range all {
		m.finish()
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
