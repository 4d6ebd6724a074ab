package lb

import (
	"context"
	"math/rand/v2"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

type retryConfig struct {
	timeout    time.Duration
	attempts   int
	shares     int
	backoffMin time.Duration
	backoffMax time.Duration
	ratio      float64
	perSecond  float64
	hedge      float64
}

// A RetryOption changes how Retry goes on after a failed attempt.
type RetryOption func(*retryConfig)

// Timeout bounds a whole call, with all its attempts; an earlier deadline of the caller goes first. The default is 2 s.
func Timeout(d time.Duration) RetryOption { return func(c *retryConfig) { c.timeout = d } }

// Attempts bounds the attempts of one call: 1 fails fast. The default is 0, no bound but the deadline and the budget: a
// list may hold any number of dead addresses, and each costs a fraction of a millisecond to rule out.
func Attempts(n int) RetryOption { return func(c *retryConfig) { c.attempts = n } }

// Shares says that an attempt may take 1/n of the time that its call has, or 1/Attempts if that is more. The default is 3.
func Shares(n int) RetryOption { return func(c *retryConfig) { c.shares = max(n, 1) } }

// Backoff bounds the pause when all members were tried. It is drawn between zero and an upper end (full jitter), which
// is shortest at first and doubles up to longest. The default is 50 ms to 1 s.
func Backoff(shortest, longest time.Duration) RetryOption {
	return func(c *retryConfig) { c.backoffMin, c.backoffMax = shortest, max(shortest, longest) }
}

// Budget bounds the retries of all calls together: ratio for each call, and perSecond whatever the calls, up to ten seconds'
// worth of both saved. The default is 0.2 and 10. A call that may not retry fails with ErrBudget.
func Budget(ratio, perSecond float64) RetryOption {
	return func(c *retryConfig) { c.ratio, c.perSecond = ratio, perSecond }
}

// Retry returns an endpoint that calls members of p as picker chooses, until one of them answers.
//
// A failed attempt goes on at once, to a member that this call has not tried; only when all were tried it pauses (Backoff)
// and starts over. Any error is a failed attempt (go-kit's business errors travel in the response) unless the caller
// gave up. While there is nobody to call, because the registry has not answered yet or has answered with nobody, it waits for
// the first to come. It ends with an error when the Timeout, the caller's context, the Attempts or the Budget end: errors.Is
// finds the cause of every attempt in it, what ended it, and go-kit's ErrNoEndpoints if nobody was there.
//
// Attempts run in the caller's goroutine, so endpoints have to honour their context.
func Retry(p *Pool, picker Picker, options ...RetryOption) kitendpoint.Endpoint {
	r := &retrier{pool: p, picker: picker, config: retryConfig{
		timeout:    2 * time.Second,
		shares:     3,
		backoffMin: 50 * time.Millisecond,
		backoffMax: time.Second,
		ratio:      0.2,
		perSecond:  10,
	}}
	for _, option := range options {
		option(&r.config)
	}
	if n := r.config.attempts; n > 0 {
		r.config.shares = min(r.config.shares, n)
	}
	r.budget = newBudget(r.config.ratio, r.config.perSecond, budgetSeconds)
	if r.config.hedge > 0 {
		r.hedger = newHedger(r.config.hedge)
	}
	return r.serve
}

type retrier struct {
	pool   *Pool
	picker Picker
	config retryConfig
	budget *budget
	hedger *hedger // nil unless asked for
}

// A call is the state of one call through Retry.
type call struct {
	share      time.Duration // for each attempt
	tried      []*Member     // in this round
	errs       []error       // of the failed attempts
	begun      int           // attempts
	rounds     int
	answeredBy string
	pause      *time.Timer // runs while all were tried
}

func (r *retrier) serve(ctx context.Context, request any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	c := &call{share: time.Until(deadline) / time.Duration(r.config.shares)}
	defer c.report(ctx)
	r.deposit()
	for {
		m, err := r.next(ctx, c)
		if err != nil {
			return nil, c.fail(err)
		}
		response, err := r.attempt(ctx, c, m, request)
		if err == nil {
			return response, nil
		}
	}
}

// deposit counts a call in the budgets.
func (r *retrier) deposit() {
	r.budget.deposit()
	if r.hedger != nil {
		r.hedger.budget.deposit()
	}
}

// next returns the member for the next attempt, with the call on it begun, or why there is none.
func (r *retrier) next(ctx context.Context, c *call) (*Member, error) {
	if r.config.attempts > 0 && c.begun >= r.config.attempts {
		return nil, errAttempts
	}
	if ctx.Err() != nil { // and no retry is paid for
		return nil, ended(ctx)
	}
	if c.begun > 0 && !r.budget.withdraw() {
		return nil, ErrBudget
	}
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		s := r.pool.snapshot.Load() // before the pick: what it misses will supersede s
		if m := r.pool.pick(ctx, r.picker, c.tried); m != nil {
			c.begun++
			return m, nil
		}
		if err := r.wait(ctx, c, s); err != nil {
			return nil, err
		}
	}
}

// wait returns when it makes sense to pick again: s was superseded, or all were tried and the pause is over.
func (r *retrier) wait(ctx context.Context, c *call, s *Snapshot) error {
	if s.closed {
		return ErrClosed
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
			return nobody(ctx)
		}
		return ended(ctx)
	case <-s.superseded:
	case <-resume:
		c.tried, c.pause = c.tried[:0], nil
		c.rounds++
	}
	return nil
}

func (r *retrier) backoff(rounds int) time.Duration {
	upper := min(r.config.backoffMin<<min(rounds, 20), r.config.backoffMax)
	return rand.N(upper + 1)
}

// attempt makes the attempt on m that next has begun, and takes its failure down.
func (r *retrier) attempt(ctx context.Context, c *call, m *Member, request any) (any, error) {
	if r.hedger != nil {
		return r.hedged(ctx, c, m, request)
	}
	ctx, cancel := context.WithTimeout(ctx, c.share)
	defer cancel()
	response, err := r.pool.invoke(ctx, m, request, r.brief(ctx))
	if err != nil {
		c.failed(m, err)
		return nil, err
	}
	c.answeredBy = m.instance
	return response, nil
}

// brief reports whether an attempt with ctx has less time than one of a call with the whole timeout has, give or take a
// tenth.
func (r *retrier) brief(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline) < r.config.timeout/time.Duration(r.config.shares)*9/10
}
