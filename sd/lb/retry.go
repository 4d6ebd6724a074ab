package lb

import (
	"context"
	"math/rand/v2"
	"time"

	"example.com/daytime/sd/lb/internal/budget"
	"example.com/daytime/sd/lb/internal/cause"
	kitendpoint "github.com/go-kit/kit/endpoint"
)

// budgetSeconds is how many seconds' worth a retry budget may save.
const budgetSeconds = 10

// Retry returns an endpoint that calls members of p as picker chooses, until one of them answers.
//
// A call is made again only after a failure by which no server can have acted on it: a connection
// that was refused or did not come about, or an error of the endpoint with a method Unsent() bool
// that says so; every other error goes to the caller at once. A call that is [Idempotent] is also
// made again after a reset, a connection that ended without an answer, or a timeout, and when an
// attempt takes longer than its share of the time (see [Shares]) it is not cancelled: another one
// begins beside it, and the first answer counts. Connections that are refused, or to which no route
// leads, cost nothing but time; every other further attempt draws on the [Budget], and [Classify]
// overrides all of this.
//
// The next attempt goes to a member that this call has not tried; only when all were tried the call
// pauses (Backoff) and starts over. No attempt begins when less than a tenth of a share is left.
// While there is nobody to call, because the registry has not answered yet or has answered with
// nobody, the call waits for the first to come. An error that ends a call lets errors.Is find the
// cause of every attempt, the end of the call, and go-kit's ErrNoEndpoints if nobody was there. Its
// text has the error of the Instancer's State then, unless that is live.
//
// Make one endpoint for each kind of call, and keep it: it holds the budget, and how such calls are
// answered. A slow kind is told from a hung member by that.
//
// Attempts of a call that is not idempotent run in the caller's goroutine, those of one that is in
// goroutines of their own, which Pool.Close awaits. One of them ends the call by its answer, or by
// an error that is the caller's: the others are then cancelled and not waited for, and a probe goes
// on to the call's deadline, so that the request must not be changed after it. A call that none ends
// waits for all of them, so endpoints have to honour their context.
func Retry(p *Pool, picker Picker, options ...RetryOption) kitendpoint.Endpoint {
	r := &retrier{pool: p, picker: picker, config: retryConfig{
		timeout:    2 * time.Second,
		shares:     3,
		minBackoff: 50 * time.Millisecond,
		maxBackoff: time.Second,
		ratio:      0.2,
		perSecond:  10,
	}}
	for _, option := range options {
		option(&r.config)
	}
	if n := r.config.attempts; n > 0 {
		r.config.shares = min(r.config.shares, n)
	}
	r.budget = budget.New(r.config.ratio, r.config.perSecond, budgetSeconds)
	if r.config.hedge > 0 {
		r.hedger = newHedger(r.config.hedge)
	}
	return r.serve
}

type retrier struct {
	pool   *Pool
	picker Picker
	config retryConfig
	budget *budget.Budget
	hedger *hedger // nil unless asked for
	route  route
}

// A call is the state of one call through Retry.
type call struct {
	deadline   time.Time
	share      time.Duration // for each attempt
	idempotent bool
	brief      bool        // the caller gives it less time than the Timeout
	tried      []*Member   // in this round
	hasFailed  []*Member   // of these
	errs       []error     // of the failed attempts
	begun      int         // attempts
	free       bool        // the next attempt costs nothing
	startOver  bool        // the next attempt may go to any member, after a pause
	rounds     int         // pauses made
	pause      *time.Timer // runs during a pause
	record     recorder
}

func (r *retrier) serve(ctx context.Context, request any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.timeout)
	defer cancel()
	c := r.newCall(ctx)
	ctx = c.record.hide(ctx)
	defer c.record.close()
	if r.pool.meters.duration != nil {
		defer r.pool.meters.recordDuration(time.Now())
	}
	r.deposit()
	if c.idempotent {
		return r.race(ctx, c, request)
	}
	for {
		a, err := r.next(ctx, c)
		if err != nil {
			return nil, c.fail(err)
		}
		response, err := r.pool.invoke(ctx, a, request)
		if err == nil {
			c.record.ends(a, nil)
			return response, nil
		}
		if r.isFinal(ctx, c, a, err) {
			return nil, c.fail(nil)
		}
	}
}

func (r *retrier) newCall(ctx context.Context) *call {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	return &call{
		deadline:   deadline,
		share:      left / time.Duration(r.config.shares),
		idempotent: r.config.isIdempotent(ctx),
		brief:      left < r.config.timeout*9/10,
		free:       true,
		record:     newRecorder(ctx),
	}
}

// deposit counts a call in the budgets.
func (r *retrier) deposit() {
	r.budget.Deposit()
	if r.hedger != nil {
		r.hedger.budget.Deposit()
	}
}

// affords asks the budget for an attempt, by one of its methods, unless it is free.
func (r *retrier) affords(free bool, withdraw func() bool) bool {
	if free || withdraw() {
		return true
	}
	r.pool.meters.exhausted.add(1)
	return false
}

// next returns the next attempt, with the call on its member begun, or why there is none.
func (r *retrier) next(ctx context.Context, c *call) (a attempt, err error) {
	if err := r.mayBegin(ctx, c); err != nil { // before it costs anything
		return a, err
	}
	if !r.affords(c.free, r.budget.Withdraw) {
		return a, ErrBudget
	}
	for {
		if err := r.mayBegin(ctx, c); err != nil { // again, for the call may have waited
			return a, err
		}
		s := r.pool.snapshot.Load() // before the pick: a change that it misses supersedes s
		if !c.startOver {
			if a := r.pick(ctx, c); a.member != nil {
				return r.prepare(c, a), nil
			}
		}
		if err := r.wait(ctx, c, s); err != nil {
			return a, err
		}
	}
}

// pick picks for next. Only the first attempt may be a probe, so that a call meets one hung member
// at most that was known to be.
func (r *retrier) pick(ctx context.Context, c *call) (a attempt) {
	if c.begun == 0 {
		a.member, a.probe = r.pool.pickFirst(ctx, r.picker)
	} else {
		a.member = r.pool.pick(ctx, r.picker, c.tried, c.hasFailed)
	}
	return a
}

// mayBegin returns why the call may not make another attempt, if it may not. In its last moments it
// begins none that could hardly be answered.
func (r *retrier) mayBegin(ctx context.Context, c *call) error {
	switch {
	case r.config.attempts > 0 && c.begun >= r.config.attempts:
		return errAttempts
	case ctx.Err() != nil:
		return ended(ctx)
	case c.begun > 0 && time.Until(c.deadline) < c.share/10:
		return errNoTime
	default:
		return nil
	}
}

// prepare counts an attempt that begins.
func (r *retrier) prepare(c *call, a attempt) attempt {
	c.begun++
	c.tried = append(c.tried, a.member)
	a.route = &r.route
	if c.idempotent {
		a.share = c.share
	}
	a.try = c.record.begins(a.member)
	a.brief = time.Until(c.deadline) < r.config.timeout*9/10
	a.briefShare = c.brief
	return a
}

// isFinal takes down that an attempt failed, and reports whether the call fails with it.
func (r *retrier) isFinal(ctx context.Context, c *call, a attempt, err error) bool {
	c.failed(a, err)
	v := r.config.verdict(len(c.errs), err, c.idempotent)
	c.free = cause.IsFree(err)
	c.startOver = c.startOver || v == Retryable
	return v == Permanent && ctx.Err() == nil // or next tells how the context ended
}

// wait returns when it makes sense to pick again: s was superseded, or all were tried and the pause
// is over.
func (r *retrier) wait(ctx context.Context, c *call, s *Snapshot) error {
	if s.closed {
		return ErrClosed
	}
	superseded := s.superseded
	if c.startOver {
		superseded = nil
	}
	var resume <-chan time.Time
	if len(c.tried) > 0 {
		if c.pause == nil {
			c.pause = time.NewTimer(r.backoff(c.rounds))
		}
		resume = c.pause.C
	}
	select {
	case <-ctx.Done():
		if len(c.tried) == 0 {
			return r.pool.nobody(ctx)
		}
		return ended(ctx)
	case <-superseded:
	case <-resume:
		c.tried, c.hasFailed = c.tried[:0], c.hasFailed[:0]
		c.pause, c.startOver = nil, false
		c.rounds++
	}
	return nil
}

func (r *retrier) backoff(rounds int) time.Duration {
	upper := min(r.config.minBackoff<<min(rounds, 20), r.config.maxBackoff)
	return rand.N(upper + 1)
}
