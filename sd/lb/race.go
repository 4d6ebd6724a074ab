package lb

import (
	"context"
	"sync/atomic"
	"time"
)

// A race is what the attempts of an idempotent call know of each other. A request that none of two
// or more members answers says nothing about any of them.
type race struct {
	attempts atomic.Int32
	answered atomic.Bool
}

// isUnanswered reports whether several members were asked and none has answered.
func (r *race) isUnanswered() bool { return r.attempts.Load() > 1 && !r.answered.Load() }

// race makes an idempotent call. Its attempts run in goroutines of their own. When the latest one
// takes longer than its share, or, with Hedge, than attempts usually do, another one begins beside
// it.
func (r *retrier) race(ctx context.Context, c *call, request any) (any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	defer close(over)
	defer cancel(nil)
	results := make(chan result)
	between := new(race)
	share := time.NewTimer(c.share)
	defer share.Stop()
	hedge := r.hedgeTimer()
	defer hedge.Stop()
	running := 0
	begin := func(a attempt) {
		if a.member != nil {
			running++
			a.race = between
			between.attempts.Add(1)
			go r.run(ctx, a, request, results, over)
		}
		share.Reset(c.share)
	}
	for {
		if running == 0 {
			a, err := r.next(ctx, c)
			if err != nil {
				return nil, c.fail(err)
			}
			r.resetHedge(hedge, c.share)
			begin(a)
		}
		select {
		case <-hedge.C:
			begin(r.hedge(ctx, c))
		case <-share.C:
			begin(r.another(ctx, c, false))
		case end := <-results:
			running--
			if end.panicked != nil {
				panic(end.panicked) // where the caller can recover, as in its own goroutine
			}
			if end.err == nil {
				c.record.ends(end.attempt, nil)
				cancel(errOutrun)
				return end.response, nil
			}
			if r.isFinal(ctx, c, end.attempt, end.err) {
				return nil, c.fail(nil)
			}
			if running > 0 {
				if a := r.another(ctx, c, c.free); a.member != nil {
					begin(a)
				}
			}
		}
	}
}

// A result is how an attempt of a race ended.
type result struct {
	attempt  attempt
	response any
	err      error
	panicked any
}

// run makes one attempt of a race. A probe goes on when another attempt has answered, because what
// becomes of it says whether its member is slow or hangs.
func (r *retrier) run(
	ctx context.Context, a attempt, request any, results chan<- result, over <-chan struct{},
) {
	end := result{attempt: a, err: errPanicked} // if the endpoint does not return
	defer func() {
		end.panicked = recover()
		select {
		case results <- end:
		case <-over:
		}
	}()
	attempted := ctx
	if a.probe {
		var cancel context.CancelFunc
		attempted, cancel = outliving(ctx)
		defer cancel()
	}
	begun := time.Now()
	end.response, end.err = r.pool.invoke(attempted, a, request)
	if end.err == nil {
		a.race.answered.Store(true)
	}
	if r.hedger != nil && (end.err == nil || attempted.Err() != nil) {
		r.hedger.latencies.add(time.Since(begun))
	}
}

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
	m := r.pool.pick(ctx, r.picker, c.tried)
	if m == nil {
		return a
	}
	if !free && !r.withdraw() {
		m.end()
		return a
	}
	return r.begin(c, attempt{member: m})
}
