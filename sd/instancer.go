package sd

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

var _ kitsd.Instancer = (*Instancer)(nil)

// An Instancer follows one directory for any number of subscribers. It is
// go-kit's sd.Instancer: every event holds the whole set, sorted, in a slice
// that belongs to the subscriber. Its methods may be called concurrently.
//
// An event is sent when the set is another one than the subscriber was sent
// last, at once after a quiet time and at most every 100 ms under churn. The set
// is what the registry says, never a guess: while the registry cannot be read
// the last set stands, and before the first answer there is none (but see
// [Snapshot]).
type Instancer struct {
	backend Backend
	logger  *AsyncLogger
	cancel  context.CancelFunc
	done    chan struct{} // closed when the loop, which the Instancer owns, has ended

	snapshot string   // file; empty for none
	saver    *mailbox // writes it; nil for none

	mu       sync.Mutex
	state    State
	calls    int  // of Watch, so far
	known    bool // there is a set
	answered bool // and it is the registry's
	stopped  bool
	roster   roster
	listing  listing // has a lock of its own
	rejected int
	channels map[chan<- kitsd.Event]*mailbox
	feeds    map[*feed]struct{}
}

// heldTime is how long a Watch must hold before what an earlier one failed with
// is no longer the reason for there being no set.
const heldTime = 3 * time.Second

// Why a set is not vouched for, when it is no error of the backend.
var (
	errHeld    = errors.New("no failure, and no answer: there may be no directory")
	errStopped = errors.New("stopped")
)

// An InstancerOption changes how an Instancer works.
type InstancerOption func(*Instancer)

// NewInstancer starts to watch b. It does no I/O itself and never fails: a
// registry that cannot be reached is retried until Stop. It does not close b, and
// never waits for logger (see [AsyncLogger]).
func NewInstancer(b Backend, logger kitlog.Logger, options ...InstancerOption) *Instancer {
	ctx, cancel := context.WithCancel(context.Background())
	i := &Instancer{
		backend:  b,
		logger:   NewAsyncLogger(logger),
		cancel:   cancel,
		done:     make(chan struct{}),
		state:    State{Phase: Unknown, Since: time.Now()},
		listing:  listing{feed: feed{reset: true}},
		channels: map[chan<- kitsd.Event]*mailbox{},
		feeds:    map[*feed]struct{}{},
	}
	for _, option := range options {
		option(i)
	}
	if i.snapshot != "" {
		i.saver = newMailbox(i.save)
	}
	go i.loop(ctx)
	return i
}

// loop calls Watch for as long as anybody may be interested.
func (i *Instancer) loop(ctx context.Context) {
	defer close(i.done)
	if i.snapshot != "" {
		i.restore()
	}
	var pause backoff
	for {
		forgive := time.AfterFunc(heldTime, i.begin())
		err := i.backend.Watch(ctx, Want{}, func(c Change) {
			pause.reset()
			i.apply(c)
		})
		forgive.Stop()
		if ctx.Err() != nil {
			return
		}
		i.interrupted(err)
		pause.wait(ctx, err)
	}
}

// begin counts a call of Watch, and returns a function that forgets why the call
// before has failed, in case this one holds without a set.
func (i *Instancer) begin() (forgive func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	call := i.calls
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.calls != call:
		case i.state.Phase == Unknown:
			i.state.Err = nil
		case i.state.Phase == Stale:
			i.state.Err = errHeld
		}
	}
}

// apply takes in what the backend emitted.
func (i *Instancer) apply(c Change) {
	c.Up = i.admit(c.Up)
	i.transition(func() (Phase, error) {
		first := !i.known
		i.known, i.answered = true, true
		up, down := i.roster.apply(c)
		if first || len(up) > 0 || len(down) > 0 {
			i.publish(first, up, down)
		}
		return Live, nil
	})
	i.index()
	if i.saver != nil {
		i.saver.notify()
	}
}

// index makes the roster ready for differences, outside the lock. It lets those
// who were told of a new set go first, if they can.
func (i *Instancer) index() {
	if i.roster.members != nil { // only the loop changes the roster
		return
	}
	runtime.Gosched()
	members := i.roster.index()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.roster.adopt(members)
}

// publish tells every subscriber. The caller holds the lock.
func (i *Instancer) publish(first bool, up, down []string) {
	for f := range i.feeds {
		f.add(first, up, down)
		f.mailbox.notify()
	}
	i.listing.add(i.roster.size(), up, down)
	for _, m := range i.channels {
		m.notify()
	}
}

// admit returns the names that are instances. The others are counted, and
// logged the first time there are any.
func (i *Instancer) admit(names []string) []string {
	bad := slices.IndexFunc(names, func(s string) bool { return refuse(s) != "" })
	if bad < 0 {
		return names
	}
	valid := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return refuse(s) != "" })
	refused := len(names) - len(valid)
	i.mu.Lock()
	before := i.rejected
	i.rejected += refused
	i.mu.Unlock()
	if before == 0 && refused > 0 {
		err := CheckInstance(names[bad])
		level.Warn(i.logger).Log("msg", "left out what is no instance", "names", refused, "err", err)
	}
	return valid
}

// interrupted notes that the set cannot be vouched for.
func (i *Instancer) interrupted(err error) {
	i.transition(func() (Phase, error) {
		i.calls++ // the one that was held is over
		if i.known {
			return Stale, err
		}
		return Unknown, err
	})
}

// transition moves the state to what change returns, and logs it if that is
// news. Change runs under the lock; only the loop calls transition.
func (i *Instancer) transition(change func() (Phase, error)) {
	i.mu.Lock()
	p, err := change()
	next, news := i.state.to(p, err)
	i.state = next
	size := i.roster.size()
	i.mu.Unlock()
	switch {
	case news && err != nil:
		level.Warn(i.logger).Log("msg", "discovery "+string(p), "instances", size, "err", err)
	case news:
		level.Info(i.logger).Log("msg", "discovery "+string(p), "instances", size)
	}
}

// State says whether the set is live, stale or unknown, since when, and why.
func (i *Instancer) State() State {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}

// Rejected counts how often a name was left out because it is no instance (see
// [CheckInstance]); a name counts again whenever the set is read again.
func (i *Instancer) Rejected() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rejected
}

// Stop ends the watch and every subscription, and waits for them. Nothing is
// sent after it, also to those who register later, and the set is stale. It may
// be called again. For a log that does not take its last lines it waits 100 ms.
func (i *Instancer) Stop() {
	i.cancel()
	<-i.done
	for _, m := range i.lastMailboxes() {
		m.close()
	}
	if i.saver != nil {
		i.saver.close()
		i.write()
	}
	i.logger.flush(lastLinesTimeout)
}

// lastMailboxes ends the time in which there are new subscribers. The present
// ones stay known, so that a Deregister beside Stop waits for its mailbox too.
func (i *Instancer) lastMailboxes() []*mailbox {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.stopped && i.known {
		i.state, _ = i.state.to(Stale, errStopped)
	}
	i.stopped = true
	all := slices.Collect(maps.Values(i.channels))
	for f := range i.feeds {
		all = append(all, f.mailbox)
	}
	return all
}
