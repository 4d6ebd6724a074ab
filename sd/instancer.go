package sd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/internal/backoff"
	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/internal/instance"
	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/internal/snapshot"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

var _ kitsd.Instancer = (*Instancer)(nil)

// An Instancer follows one directory for any number of subscribers. It is go-kit's sd.Instancer:
// every event holds the whole set, sorted, in a slice that belongs to the subscriber. Its methods
// may be called concurrently.
//
// An event is sent when the set is another one than the subscriber was sent last, at once after a
// quiet time and at most every 100 ms under churn. The set is what the registry says, never a
// guess: while the registry cannot be read the last set stands, and before the first answer there
// is none (but see [Snapshot]).
//
// go-kit's own Endpointer has no endpoints for the first milliseconds, also over an Instancer that
// is live: it takes the first event in a goroutine of its own. A balancer on it says
// lb.ErrNoEndpoints then; go-kit's lb.Retry spends its attempts on that without a pause, and a
// program that makes an Endpointer for each request never gets an answer. Make one at the start,
// call [Instancer.Await], and ask its Endpoints every few milliseconds until there are any; or use
// package lb here, whose calls wait for the first set.
type Instancer struct {
	backend Backend // nil in a union
	joint   *joint  // nil unless it is a union
	logger  *AsyncLogger
	cancel  context.CancelFunc
	done    chan struct{} // closed when the loop, which the Instancer owns, has ended
	fanout  *fanout.Fanout
	state   *stateVar
	saver   *snapshot.Saver        // nil for none
	meters  *instruments.Instancer // nil for none

	policyOff  bool             // by the target: there is none, whatever the file says
	keptPolicy *snapshot.Policy // which is what it says then; not changed once answered

	steering *steering   // nil: the policy is not followed
	joined   atomic.Bool // it is a part of a union

	// Held while the set and the state change together: a subscriber that is told of a set finds
	// the state live, and one that is told of the state finds the set.
	mu        sync.Mutex
	strangers instance.Strangers

	answered atomic.Bool // the set is the registry's, or about to be
	ignored  bool        // it is told that the policy is not followed; used by the loop alone
}

// heldTimeout is how long a Watch must hold before the error of an earlier one is no longer the
// reason for there being no set.
const heldTimeout = 3 * time.Second

// Why a set is not vouched for, when it is no error of the backend.
var (
	errHeld       = errors.New("no failure, and no answer: there may be no directory")
	errUnanswered = errors.New("a snapshot, of which the registry has said nothing yet")
	errStopped    = error(stoppedError{})
)

// A stoppedError is ErrClosed in the word for an Instancer.
type stoppedError struct{}

func (stoppedError) Error() string        { return "stopped" }
func (stoppedError) Is(target error) bool { return target == ErrClosed }

// An InstancerOption changes how an Instancer works.
type InstancerOption func(*Instancer)

// NewInstancer starts to watch b. It does no I/O itself and never fails: a registry that cannot be
// reached is retried until Stop. It does not close b, and never waits for logger (see
// [AsyncLogger]).
func NewInstancer(b Backend, logger kitlog.Logger, options ...InstancerOption) *Instancer {
	ctx, i := newInstancer(logger)
	i.backend = b
	i.begin(i.logState)
	for _, option := range options {
		option(i)
	}
	if i.saver != nil {
		i.save()
	}
	go i.loop(ctx)
	return i
}

// newInstancer returns an Instancer that watches nothing yet, and a context that Stop ends.
func newInstancer(logger kitlog.Logger) (context.Context, *Instancer) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, &Instancer{
		logger: NewAsyncLogger(logger),
		cancel: cancel,
		done:   make(chan struct{}),
		fanout: fanout.New(),
	}
}

// loop calls Watch until Stop.
func (i *Instancer) loop(ctx context.Context) {
	defer close(i.done)
	if i.saver != nil {
		i.restore()
	}
	var pause backoff.Backoff
	for {
		err := i.watch(ctx, &pause)
		if ctx.Err() != nil {
			return
		}
		i.interrupted(err)
		rest(ctx, &pause, i.backend, err)
	}
}

// watch calls Watch once. While that holds without a set, the diagnosis is the reason, and an earlier
// failure is not.
func (i *Instancer) watch(ctx context.Context, pause *backoff.Backoff) error {
	var held *time.Timer // nil after Watch; guarded by the lock, like the state that depends on it
	i.mu.Lock()
	held = time.AfterFunc(heldTimeout, func() {
		reason := i.diagnosis() // no lock is held, since the backend has locks of its own
		i.mu.Lock()
		defer i.mu.Unlock()
		if held != nil && i.noteHeld(reason) {
			held.Reset(heldTimeout)
		}
	})
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		held.Stop()
		held = nil
	}()
	steered := i.steering != nil
	return i.backend.Watch(ctx, Want{Attributes: steered, Policy: steered}, func(c Change) {
		pause.Reset()
		i.emitted(c)
	})
}

// emitted takes in what the backend emitted.
func (i *Instancer) emitted(c Change) {
	c.Up = i.admit(c.Up)
	c.Down, _ = instance.Split(c.Down) // who was not admitted is not lost
	c.Attributes, c.Unread = instance.Attributes(c.Attributes, c.Unread)
	i.noteIgnored(c)
	i.answered.Store(true)
	steered := i.apply(c, State{Phase: Live})
	i.index()
	if i.saver != nil {
		i.saver.Changed(steered)
	}
}

// apply has c evaluated, if the policy is followed, tells it to the subscribers, and moves to s. It
// reports whether another policy is followed now.
func (i *Instancer) apply(c Change, s State) (steered bool) {
	if i.steering == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fanout.Apply(c.toFanout(), nil)
		i.moveTo(s)
		return false
	}
	i.steering.mu.Lock()
	defer i.steering.mu.Unlock()
	before, _, _ := i.steering.evaluator.Followed()
	i.evaluate(c, s)
	return (c.Policy != nil || c.Lacking.Policy) && i.logPolicy(before)
}

// index makes the set ready for the next difference, and reports it.
func (i *Instancer) index() {
	i.fanout.Index()
	if i.meters != nil {
		i.meters.SetSet(i.fanout.Summary())
	}
}

// noteIgnored says once that there is a policy and this program does not follow it.
func (i *Instancer) noteIgnored(c Change) {
	if c.Ignored && !i.ignored {
		i.ignored = true
		level.Warn(i.logger).Log("msg",
			"the directory has a policy, which this program does not follow")
	}
}

// Register subscribes ch. The last set, if one is known, is sent at once. A reader that is slow
// finds the newest set when it is ready, and delays nobody else. Registering a channel twice is the
// same as once.
func (i *Instancer) Register(ch chan<- kitsd.Event) { i.fanout.Subscribe(ch) }

// Deregister ends the subscription of ch. After it returned nothing is sent, so the caller may
// close ch. It does not wait for a reader.
func (i *Instancer) Deregister(ch chan<- kitsd.Event) { i.fanout.Unsubscribe(ch) }

// Follow subscribes fn to differences, which cost the change and not the size of the set. Fn is
// called first with a Reset, as soon as a set is known, then with exact differences, at most every
// 100 ms. Changes while fn runs are merged: for an instance that left repeatedly, Withdrew tells of
// the last time. The calls come from one goroutine. Slices and maps may be kept, but not changed.
// Stop ends the subscription: fn is not running after it returned, so fn itself must not call it.
func (i *Instancer) Follow(fn func(Change)) (stop func()) {
	return i.fanout.Follow(func(c fanout.Change) { fn(fromFanout(c)) })
}

// Instances returns the set, sorted, in a slice that belongs to the caller: the last one while it
// is stale, nil while none is known.
func (i *Instancer) Instances() []string { return i.fanout.Instances() }

// Stop ends the watch and every subscription, and waits for them: for no reader of a channel, but
// for the functions of Follow and States to return, which so must not call it. Nothing is sent
// after it, also to those who register later, and the set is stale. It may be called again. For a
// log that does not take its last lines it waits 100 ms.
func (i *Instancer) Stop() {
	i.cancel()
	<-i.done
	if i.steering != nil {
		i.steering.stop() // before the last state
	}
	i.state.End(i.unvouched(), errStopped)
	i.state.Finish()
	i.fanout.Close()
	if i.saver != nil {
		i.saver.Close()
	}
	i.logger.flush(lastLinesTimeout)
}
