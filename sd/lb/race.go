package lb

import (
	"context"
	"sync/atomic"
	"time"
)

// A race is the attempts of one idempotent call, which run in goroutines of their own. When the
// latest one takes longer than its share, or, with Hedge, than attempts usually do, another one
// begins beside it.
type race struct {
	ctx     context.Context // ends with errOutrun as its cause when an attempt has answered
	request any
	results chan result
	over    chan struct{} // closed when no result is wanted any more
	running int
	share   *time.Timer
	hedge   *time.Timer

	// These two are shared with the attempts.
	attempts atomic.Int32
	answered atomic.Bool
}

// A result is how an attempt of a race ended.
type result struct {
	attempt  attempt
	response any
	err      error
	panicked any
}

// race makes an idempotent call.
func (r *retrier) race(ctx context.Context, c *call, request any) (any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	x := &race{
		ctx: ctx, request: request, results: make(chan result), over: make(chan struct{}),
		share: time.NewTimer(c.share), hedge: stoppedTimer(),
	}
	defer close(x.over)
	defer cancel(nil)
	defer x.share.Stop()
	defer x.hedge.Stop()
	for {
		if x.running == 0 {
			a, err := r.next(ctx, c)
			if err != nil {
				return nil, c.fail(err)
			}
			r.begin(x, c, a)
			r.resetHedge(x.hedge, c.share)
		}
		select {
		case <-x.hedge.C:
			r.begin(x, c, r.hedge(ctx, c))
		case <-x.share.C:
			r.begin(x, c, r.another(ctx, c, false))
			x.share.Reset(c.share)
		case end := <-x.results:
			x.running--
			if done, response, err := r.conclude(x, c, end); done {
				if err == nil {
					cancel(errOutrun)
				}
				return response, err
			}
		}
	}
}

// begin starts an attempt, if it has a member.
func (r *retrier) begin(x *race, c *call, a attempt) {
	if a.member == nil {
		return
	}
	a.race = x
	x.attempts.Add(1)
	x.running++
	x.share.Reset(c.share)
	go r.run(x, a)
}

// conclude takes in the end of an attempt, and reports whether the call is done with it. If it is
// not, another attempt takes the place of the one that failed.
func (r *retrier) conclude(x *race, c *call, end result) (done bool, response any, err error) {
	switch {
	case end.panicked != nil:
		panic(end.panicked) // where the caller can recover, as in its own goroutine
	case end.err == nil:
		c.record.ends(end.attempt, nil)
		return true, end.response, nil
	case r.isFinal(x.ctx, c, end.attempt, end.err):
		return true, nil, c.fail(nil)
	}
	if x.running > 0 {
		r.begin(x, c, r.another(x.ctx, c, c.free))
	}
	return false, nil, nil
}

// run makes one attempt. A probe goes on when another attempt has answered, because its end says
// whether its member is slow or hangs.
func (r *retrier) run(x *race, a attempt) {
	end := result{attempt: a, err: errPanicked} // if the endpoint does not return
	defer func() {
		end.panicked = recover()
		select {
		case x.results <- end:
		case <-x.over:
		}
	}()
	ctx := x.ctx
	if a.probe {
		var cancel context.CancelFunc
		ctx, cancel = outliving(ctx)
		defer cancel()
	}
	begun := time.Now()
	end.response, end.err = r.pool.invoke(ctx, a, x.request)
	if end.err == nil {
		x.answered.Store(true)
	}
	if r.hedger != nil && (end.err == nil || ctx.Err() != nil) {
		r.hedger.latencies.add(time.Since(begun)) // or at least so long, if it was cancelled
	}
}

// isUnanswered reports whether several members were asked and none has answered.
func (x *race) isUnanswered() bool { return x.attempts.Load() > 1 && !x.answered.Load() }

// outliving returns a context that ends with ctx, but not when ctx ends because another attempt has
// answered.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	own, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() {
		if context.Cause(ctx) != errOutrun {
			cancel()
		}
	})
	return own, func() {
		stop()
		cancel()
	}
}

// another returns an attempt to run beside those that do. It has no member if there is none for it,
// or no budget, or no time.
func (r *retrier) another(ctx context.Context, c *call, free bool) (a attempt) {
	if c.startOver || r.mayBegin(ctx, c) != nil {
		return a
	}
	m := r.pool.pick(ctx, r.picker, c.tried, c.hasFailed)
	if m == nil {
		return a
	}
	if !free && !r.withdraw() {
		m.end()
		return a
	}
	return r.prepare(c, attempt{member: m})
}
