package sd

import (
	"context"
	"errors"
	"sync"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// settleTime bounds how long Register and Deregister wait.
const settleTime = 2 * time.Second

var _ kitsd.Registrar = (*Registrar)(nil)

// A Registrar keeps one instance registered between Register and Deregister,
// whatever happens to the registry. It is go-kit's sd.Registrar. Its methods
// may be called concurrently and again.
type Registrar struct {
	backend  Backend
	instance string
	logger   kitlog.Logger // over lines
	lines    *AsyncLogger

	mu     sync.Mutex
	state  State
	cancel context.CancelFunc // not nil while registration is wanted
	done   chan struct{}      // closed when the run, which the Registrar owns, has ended
}

// NewRegistrar returns a Registrar of instance, which must pass
// [CheckInstance]. It does nothing before Register, does not close b, and never
// waits for logger (see [AsyncLogger]).
func NewRegistrar(b Backend, instance string, logger kitlog.Logger) (*Registrar, error) {
	if err := CheckInstance(instance); err != nil {
		return nil, err
	}
	lines := NewAsyncLogger(logger)
	return &Registrar{
		backend:  b,
		instance: instance,
		logger:   kitlog.With(lines, "instance", instance),
		lines:    lines,
		state:    State{Phase: Withdrawn, Since: time.Now()},
	}, nil
}

// Register wants the instance registered from now on. It returns when the first
// attempt has settled, well or badly, and after 2 s at the latest; attempts go
// on until Deregister. While registration is wanted already it does nothing.
func (r *Registrar) Register() {
	settled := make(chan struct{})
	if r.start(settled) {
		waitFor(settled, settleTime)
	}
}

// start begins a run, unless there is one that is wanted.
func (r *Registrar) start(settled chan struct{}) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	before, done := r.done, make(chan struct{})
	r.cancel, r.done = cancel, done
	r.state, _ = r.state.to(Registering, nil)
	go func() {
		defer close(done)
		if before != nil {
			<-before // two runs would work against each other
		}
		r.run(ctx, sync.OnceFunc(func() { close(settled) }))
	}()
	return true
}

// run calls Announce until ctx is done; the last call, with ctx done, withdraws
// whatever an earlier one may have left.
func (r *Registrar) run(ctx context.Context, settle func()) {
	defer settle()
	var pause backoff
	failed := Registering
	wanted := func() bool { return ctx.Err() == nil }
	for {
		withdrawing := !wanted()
		err := r.backend.Announce(ctx, Entry{Instance: r.instance}, func(Status) {
			pause.reset()
			failed = Lost
			r.transition(wanted, Registered, nil)
			settle()
		})
		if withdrawing || !wanted() && errors.Is(err, context.Canceled) {
			if !errors.Is(err, ErrUnconfirmed) {
				err = nil
			}
			r.transition(func() bool { return r.cancel == nil }, Withdrawn, err)
			return
		}
		if errors.Is(err, ErrConflict) {
			r.transition(wanted, Conflict, err)
		} else {
			r.transition(wanted, failed, err)
		}
		settle()
		pause.wait(ctx, err)
	}
}

// Deregister wants the instance withdrawn from now on. It returns once that is
// confirmed, and after 2 s at the latest; the registry is then told at the
// first contact. It may be called at any time, also without Register. For a log
// that does not take its last lines it waits 100 ms more.
func (r *Registrar) Deregister() {
	r.mu.Lock()
	done := r.done
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
		r.state = State{Phase: Withdrawn, Since: time.Now(), Err: ErrUnconfirmed, told: "nothing yet"}
	}
	r.mu.Unlock()
	if done != nil {
		waitFor(done, settleTime)
	}
	r.lines.flush(lastLinesTimeout)
}

// waitFor waits for done, and for timeout at most.
func waitFor(done <-chan struct{}, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// State says where the registration stands, since when, and why.
func (r *Registrar) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// transition moves the state on, and has it logged if that is news. Wanted says
// whether the run that reports is one whose registration is wanted: what a run
// reports after Deregister, or an old run after the next Register, does not
// count.
func (r *Registrar) transition(wanted func() bool, p Phase, err error) {
	r.mu.Lock()
	if !wanted() {
		r.mu.Unlock()
		return
	}
	next, news := r.state.to(p, err)
	r.state = next
	r.mu.Unlock()
	switch {
	case news && err != nil:
		level.Warn(r.logger).Log("msg", string(p), "err", err)
	case news:
		level.Info(r.logger).Log("msg", string(p))
	}
}
