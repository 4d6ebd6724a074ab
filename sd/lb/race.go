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
	begun   int           // attempts
	running int           // of these
	probing bool          // the latest is a probe
	share   *time.Timer
	hedge   *time.Timer

	// These two are shared with the attempts.
	second atomic.Int64 // when the second attempt began, on the Pool's clock; 0 if none did
	took   atomic.Int64 // how long the attempt took that has answered; 0 if none has
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
			// A probe costs the call no budget.
			r.begin(x, c, r.another(ctx, c, x.probing, r.budget.WithdrawSpare))
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
	if x.begun++; x.begun == 2 {
		x.second.Store(r.pool.now())
	}
	x.running++
	x.probing = a.probe
	x.share.Reset(r.patience(c, a))
	go r.run(x, a)
}

// patience is the time after which another attempt begins beside a: its share, and for a probe less
// if answers have taken so long of late that the other one might come too late.
func (r *retrier) patience(c *call, a attempt) time.Duration {
	if !a.probe {
		return c.share
	}
	usual := time.Duration(r.route.took.Load())
	return min(c.share, max(time.Until(c.deadline)-2*usual, 0))
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
		r.begin(x, c, r.another(x.ctx, c, c.free, r.budget.Withdraw))
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
		ctx, cancel = x.outliving()
		defer cancel()
	}
	begun := time.Now()
	end.response, end.err = r.pool.invoke(ctx, a, x.request)
	if end.err == nil {
		x.took.Store(int64(max(time.Since(begun), 1)))
	}
	if r.hedger != nil && (end.err == nil || ctx.Err() != nil) {
		r.hedger.latencies.Add(time.Since(begun)) // or at least so long, if it was cancelled
	}
}

// isWon reports whether an attempt has answered, in no more than that time.
func (x *race) isWon(within int64) bool {
	took := x.took.Load()
	return took > 0 && took <= within
}

// isUnanswered reports whether no attempt has answered, though a second one has had time: the usual
// one for an answer at least.
func (x *race) isUnanswered(now, usual int64) bool {
	second := x.second.Load()
	return second > 0 && now-second >= usual && x.took.Load() == 0
}

// outliving returns a context that ends with the call's, but not because another attempt has
// answered.
func (x *race) outliving() (context.Context, context.CancelFunc) {
	deadline, _ := x.ctx.Deadline()
	own, cancel := context.WithDeadline(context.WithoutCancel(x.ctx), deadline)
	stop := context.AfterFunc(x.ctx, func() {
		if x.took.Load() == 0 && x.ctx.Err() == context.Canceled { // own has the same deadline
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
func (r *retrier) another(
	ctx context.Context, c *call, free bool, withdraw func() bool,
) (a attempt) {
	if c.startOver || r.mayBegin(ctx, c) != nil {
		return a
	}
	m := r.pool.pick(ctx, r.picker, c.tried, c.hasFailed)
	if m == nil {
		return a
	}
	if !r.affords(free, withdraw) {
		m.end()
		return a
	}
	return r.prepare(c, attempt{member: m})
}
