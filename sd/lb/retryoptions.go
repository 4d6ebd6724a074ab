package lb

import (
	"context"
	"time"
)

type retryConfig struct {
	timeout    time.Duration
	attempts   int
	shares     int
	minBackoff time.Duration
	maxBackoff time.Duration
	ratio      float64
	perSecond  float64
	hedge      float64
	idempotent bool
	classify   func(n int, err error) Verdict
}

// A RetryOption changes how Retry goes on after a failed attempt.
type RetryOption func(*retryConfig)

// Timeout bounds a whole call, with all its attempts; an earlier deadline of the caller goes first.
// The default is 2 s.
func Timeout(d time.Duration) RetryOption { return func(c *retryConfig) { c.timeout = d } }

// Attempts bounds the attempts of one call: 1 fails fast. The default is 0, no bound but the
// deadline and the budget: a list may hold any number of dead addresses, and each costs a fraction
// of a millisecond to rule out.
func Attempts(n int) RetryOption { return func(c *retryConfig) { c.attempts = n } }

// Idempotent says that calls may be made twice, side by side or one after the other, with the
// effect of one. Retry may then do more, see there. The default is that they may not.
// [WithIdempotent] says it of one call.
func Idempotent() RetryOption { return func(c *retryConfig) { c.idempotent = true } }

type idempotentKey struct{}

// WithIdempotent returns a context that says of one call through Retry whether it is idempotent,
// whatever the option says.
func WithIdempotent(ctx context.Context, idempotent bool) context.Context {
	return context.WithValue(ctx, idempotentKey{}, idempotent)
}

// isIdempotent reports whether the call with ctx may be made twice.
func (c *retryConfig) isIdempotent(ctx context.Context) bool {
	if idempotent, ok := ctx.Value(idempotentKey{}).(bool); ok {
		return idempotent
	}
	return c.idempotent
}

// Shares says that an attempt of an idempotent call may take 1/n of the call's time, or 1/Attempts
// if that is more, before another one begins beside it. The default is 3.
func Shares(n int) RetryOption { return func(c *retryConfig) { c.shares = max(n, 1) } }

// Backoff bounds the pause when all members were tried. It is drawn between zero and an upper end
// (full jitter), which is shortest at first and doubles up to longest. The default is 50 ms to 1 s.
func Backoff(shortest, longest time.Duration) RetryOption {
	return func(c *retryConfig) { c.minBackoff, c.maxBackoff = shortest, max(shortest, longest) }
}

// Budget bounds the further attempts of all calls together: ratio for each call, and perSecond
// whatever the calls, up to ten seconds' worth of both saved. The default is 0.2 and 10. An attempt
// after a connection that was refused, or to which no route led, costs nothing, because it put no
// load on a server; one beside an attempt that is slow leaves a second's worth to those that failed.
// A call whose next attempt the budget does not allow fails with ErrBudget, unless an attempt still
// runs.
func Budget(ratio, perSecond float64) RetryOption {
	return func(c *retryConfig) { c.ratio, c.perSecond = ratio, perSecond }
}

// A Verdict on an error of an endpoint says how the call goes on.
type Verdict int

const (
	// Undecided leaves it to Retry.
	Undecided Verdict = iota
	// Permanent: the error goes to the caller at once.
	Permanent
	// Retryable: after a pause (see Backoff) another attempt, which may go to the same member.
	Retryable
	// Elsewhere: another attempt at once, on a member that this call has not tried.
	Elsewhere
)

// Classify has f decide how a call goes on after an error, in the manner of go-kit's retry
// callback: n is the number of attempts that have failed, 1 at first. Retryable and Elsewhere say
// that the call may be made again, also one that is not Idempotent; the Attempts, the Budget and
// the time bound them. F must not block. What it says has no influence on ejections. The default
// leaves all to Retry.
func Classify(f func(n int, err error) Verdict) RetryOption {
	return func(c *retryConfig) { c.classify = f }
}
