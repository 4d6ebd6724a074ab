package sd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/daytime/sd/internal/backoff"
	"example.com/daytime/sd/internal/statevar"
	"example.com/daytime/sd/policy"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// settleTimeout bounds how long Register and Deregister wait.
const settleTimeout = 2 * time.Second

var _ kitsd.Registrar = (*Registrar)(nil)

// A Registrar keeps one instance registered between Register and Deregister, whatever happens to
// the registry. It is go-kit's sd.Registrar. Its methods may be called concurrently and again.
type Registrar struct {
	backend Backend
	logger  kitlog.Logger // over lines
	lines   *AsyncLogger
	state   *stateVar
	observe func(statevar.State[Phase]) // nil: nobody measures

	mu    sync.Mutex
	entry Entry // its Attributes are the newest
	last  *run  // nil before the first Register
	owned bool  // the entry is, or may be, the last run's
}

// A RegistrarOption changes how a Registrar works.
type RegistrarOption func(*Registrar)

// Attributes are what the instance says of itself: its weight, zone and tags. By default it says
// nothing. A registry that has none ignores them, and a Watch that does not want them is not told.
// Since is the registry's to say: the time of the registration.
func Attributes(a policy.Attributes) RegistrarOption {
	return func(r *Registrar) { r.entry.Attributes = a }
}

// A run is what one Register began: its Announces, and the withdrawal that the next Deregister
// wants. It has a goroutine, which the Registrar owns.
type run struct {
	ctx     context.Context // done when Deregister was called
	cancel  context.CancelFunc
	before  *run          // which must have ended, since two runs would work against each other
	onError Phase         // that an error but a conflict leads to; used by the goroutine alone
	done    chan struct{} // closed when the goroutine has ended

	attempted     chan struct{} // closed when the first attempt has ended, in whatever way
	markAttempted func()        // closes attempted, if that is not closed

	changes chan policy.Attributes // of the capacity 1: the newest, unless it was received
}

// offer makes a the value that is received next. The caller holds the Registrar's lock.
func (run *run) offer(a policy.Attributes) {
	select {
	case <-run.changes: // nobody wants the one before
	default:
	}
	run.changes <- a // nobody else sends
}

// NewRegistrar returns a Registrar of instance, which must pass [CheckInstance], as its attributes
// must pass the rules of package policy. It does nothing before Register, does not close b, and
// never waits for logger (see [AsyncLogger]).
func NewRegistrar(
	b Backend, instance string, logger kitlog.Logger, options ...RegistrarOption,
) (*Registrar, error) {
	if err := CheckInstance(instance); err != nil {
		return nil, err
	}
	lines := NewAsyncLogger(logger)
	r := &Registrar{
		backend: b,
		entry:   Entry{Instance: instance},
		logger:  kitlog.With(lines, "instance", instance),
		lines:   lines,
	}
	isGoal := func(p Phase) bool { return p == Registered || p == Withheld }
	r.state = statevar.New(Withdrawn, isGoal, r.logState, ErrClosed)
	for _, option := range options {
		option(r)
	}
	if _, err := r.entry.Attributes.Valid(); err != nil {
		return nil, fmt.Errorf("sd: attributes of %s: %w", instance, err)
	}
	if r.observe != nil {
		r.state.Observe(r.observe)
	}
	return r, nil
}

// SetAttributes replaces the attributes of the instance, from now on or from its registration on. A
// registered instance stays registered meanwhile. An error names what breaks the rules of package
// policy, and nothing has changed then. It does not wait for the registry.
func (r *Registrar) SetAttributes(a policy.Attributes) error {
	if _, err := a.Valid(); err != nil {
		return fmt.Errorf("sd: attributes of %s: %w", r.entry.Instance, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry.Attributes = a
	if r.last != nil {
		r.last.offer(a)
	}
	return nil
}

// Register wants the instance registered from now on. It returns when the first attempt has ended,
// well or badly, and after 2 s at the latest; attempts go on until Deregister. While registration
// is wanted already it does nothing.
func (r *Registrar) Register() {
	if run := r.begin(); run != nil {
		backoff.WaitFor(run.attempted, settleTimeout)
	}
}

// begin begins a run, unless registration is wanted already.
func (r *Registrar) begin() *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && r.last.wanted() {
		return nil
	}
	run := &run{
		before:    r.last,
		onError:   Registering,
		done:      make(chan struct{}),
		attempted: make(chan struct{}),
		changes:   make(chan policy.Attributes, 1),
	}
	run.ctx, run.cancel = context.WithCancel(context.Background())
	run.markAttempted = sync.OnceFunc(func() { close(run.attempted) })
	r.last, r.owned = run, false
	r.state.Begin(Registering)
	go r.loop(run)
	return run
}

// wanted reports whether Deregister has not been called.
func (run *run) wanted() bool { return run.ctx.Err() == nil }

// loop calls Announce until Deregister. It ends with the withdrawal: by the Announce under way, or
// by one more with ctx done, since one that failed leaves open whether the entry exists.
func (r *Registrar) loop(run *run) {
	defer close(run.done)
	defer run.markAttempted()
	if run.before != nil {
		<-run.before.done
		run.before = nil // for the collector
	}
	var pause backoff.Backoff
	for run.wanted() {
		err := r.backend.Announce(run.ctx, r.entryOf(run), func(s Status) {
			pause.Reset()
			r.told(run, s)
		})
		if !run.wanted() && errors.Is(err, context.Canceled) {
			r.withdrawn(run, err)
			return
		}
		r.failed(run, err)
		rest(run.ctx, &pause, r.backend, err)
	}
	r.withdrawn(run, r.backend.Announce(run.ctx, r.entryOf(run), func(Status) {}))
}

// entryOf returns the entry as it is now.
func (r *Registrar) entryOf(run *run) Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry
	e.Changes = run.changes
	return e
}

// told takes in what Announce tells of the entry.
func (r *Registrar) told(run *run, s Status) {
	run.onError = Registering
	if s.Phase == Registered {
		run.onError = Lost
	}
	r.report(run, s.Phase, s.Err)
	run.markAttempted()
}

// failed takes in why Announce returned.
func (r *Registrar) failed(run *run, err error) {
	if errors.Is(err, ErrConflict) {
		r.report(run, Conflict, err)
	} else {
		r.report(run, run.onError, err)
	}
	run.markAttempted()
}

// report moves the state on. Reports of a run after Deregister, or after the next Register, do not
// count.
func (r *Registrar) report(run *run, p Phase, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == run && run.wanted() {
		r.owned = p == Registered || r.owned && p != Conflict
		r.state.Set(p, err)
	}
}

// withdrawn notes the end of a run. It does not count after the next Register.
func (r *Registrar) withdrawn(run *run, err error) {
	isOthers := errors.Is(err, ErrConflict)
	switch {
	case err == nil, errors.Is(err, ErrUnconfirmed):
	case isOthers, errors.Is(err, ErrNoAnnounce), errors.Is(err, run.ctx.Err()):
		err = nil
	default: // nobody has tried
		err = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == run {
		r.owned = r.owned && !isOthers
		r.state.Set(Withdrawn, err)
	}
}

// Deregister wants the instance withdrawn from now on. It returns once that is confirmed, and after
// 2 s at the latest; the registry is then told at the first contact. It may be called at any time,
// also without Register. For a log that does not take its last lines it waits 100 ms more.
func (r *Registrar) Deregister() {
	if run := r.cancelLast(); run != nil {
		backoff.WaitFor(run.done, settleTimeout)
	}
	r.lines.flush(lastLinesTimeout)
}

// cancelLast ends the time in which registration is wanted, and returns the run that withdraws.
func (r *Registrar) cancelLast() *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.last == nil:
		r.state.End(Withdrawn, nil) // for who waits; there is nothing to confirm
	case r.last.wanted():
		r.last.cancel()
		r.state.End(Withdrawn, ErrUnconfirmed)
	}
	return r.last
}

// State says where the registration stands, since when, and why.
func (r *Registrar) State() State { return stateOf(r.state.Get()) }

// Await returns nil as soon as the instance is registered, or withheld by the registry's operator,
// at once if it is. Before Register it waits for that. It returns an error that matches [ErrClosed]
// after Deregister, until the next Register, and otherwise, when ctx is done, one that matches
// ctx's error and the one of [Registrar.State].
func (r *Registrar) Await(ctx context.Context) error { return await(ctx, r.state, r.State) }

// States subscribes fn to the state. Fn is called with the present one, then with the latest
// whenever that is another one, from one goroutine. Changes while fn runs are merged, so a short
// phase may not be told. Stop ends the subscription: fn is not running after it returned, so fn
// itself must not call it.
func (r *Registrar) States(fn func(State)) (stop func()) { return follow(r.state, fn) }

// errNoAnswer is why an instance is not registered when no attempt has failed.
var errNoAnswer = errors.New("the registry has not answered")

// logState writes the line of a state. Of an entry that was never ours, or is somebody else's by
// now, it does not say that it was withdrawn. Its caller holds the lock, but in a reminder, which
// there is none of after Deregister.
func (r *Registrar) logState(s statevar.State[Phase], lasts time.Duration) {
	line, err := []any{"msg", string(s.Phase)}, s.Err
	switch isNotOurs := s.Phase == Withdrawn && err == nil && !r.owned; {
	case s.Phase == Registering:
		line, err = []any{"msg", "not registered"}, cmp.Or(err, errNoAnswer)
	case isNotOurs, lasts > 0:
		line = []any{"msg", "not registered", "phase", s.Phase}
	}
	if lasts > 0 {
		line = append(line, "for", lasts.Round(time.Second))
	}
	if err == nil {
		level.Info(r.logger).Log(line...)
		return
	}
	level.Warn(r.logger).Log(append(line, "err", err)...)
}
