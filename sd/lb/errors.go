package lb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb/internal/cause"
	kitlb "github.com/go-kit/kit/sd/lb"
)

// The errors that errors.Is finds in the error of a call, beside the causes of its attempts.
var (
	ErrClosed = errors.New("pool closed")            // the Pool was closed
	ErrBudget = errors.New("retry budget exhausted") // too many retries of late: see Budget

	errAttempts   = errors.New("no attempts left")
	errNoTime     = fmt.Errorf("no time for another attempt: %w", context.DeadlineExceeded)
	errNoEndpoint = errors.New("the factory returned neither an endpoint nor an error")
	errPanicked   = errors.New("endpoint panicked")
	errOutrun     = errors.New("another attempt ended the call") // why an attempt was cancelled
)

// maxNamed is how many instances the text of an error names, so that a log line bears it.
const maxNamed = 5

// nobody is the error of a call that has found no member. Why the set is not vouched for is in it in
// words alone: the errors of a registry blame no server.
func (p *Pool) nobody(ctx context.Context) error {
	err := fmt.Errorf("%w: %w", kitlb.ErrNoEndpoints, ended(ctx))
	if p.stater != nil {
		if s := p.stater.State(); s.Phase != sd.Live && s.Err != nil {
			return fmt.Errorf("%w: %v", err, s.Err)
		}
	}
	return err
}

// ended is why ctx ended: its error, and the cause that somebody gave for it.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// A callError tells the end of a call that failed, and the errors of its attempts.
type callError struct {
	end      error   // nil if the last attempt's error did
	attempts []error // attemptErrors
}

// Error tells the end of the call, the number of attempts if some instance had several, and the
// last error of each instance. Those of one instance often differ in local ports alone.
func (e *callError) Error() string {
	var instances []string // in the order of their first failure
	last := map[string]error{}
	for _, err := range e.attempts {
		instance := err.(attemptError).instance
		if last[instance] == nil {
			instances = append(instances, instance)
		}
		last[instance] = err
	}
	var parts []string
	if e.end != nil {
		parts = append(parts, e.end.Error())
	}
	count := ""
	switch n := len(e.attempts); {
	case n == len(instances): // one each
	case len(instances) == 1:
		count = fmt.Sprintf("%d attempts, the last: ", n)
	default:
		count = fmt.Sprintf("%d attempts, the last of each: ", n)
	}
	for _, instance := range instances[:min(len(instances), maxNamed)] {
		parts = append(parts, count+last[instance].Error())
		count = ""
	}
	if more := len(instances) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more instances", more))
	}
	return "lb: " + strings.Join(parts, "; ")
}

func (e *callError) Unwrap() []error {
	if e.end == nil {
		return e.attempts
	}
	return append([]error{e.end}, e.attempts...)
}

// Unsent tells another Retry, of which the call was one attempt, whether no server can have acted
// on it.
func (e *callError) Unsent() bool {
	return !slices.ContainsFunc(e.attempts, func(err error) bool { return !cause.Unsent(err) })
}

// An attemptError is an attempt that failed.
type attemptError struct {
	instance string
	cause    error
}

// Error names the instance, unless the cause does.
func (e attemptError) Error() string {
	if text := e.cause.Error(); strings.Contains(text, e.instance) {
		return text
	}
	return e.instance + ": " + e.cause.Error()
}

func (e attemptError) Unwrap() error { return e.cause }

// An outlivedError is an attempt that was cancelled because another one answered, after it had been
// silent for longer than its share. What its end was is the canceller's doing, and is left out of
// the text.
type outlivedError struct {
	silentFor time.Duration
	cause     error
}

func (e *outlivedError) Error() string {
	return fmt.Sprintf("silent for %v, another server answered first",
		e.silentFor.Round(time.Millisecond))
}

func (e *outlivedError) Unwrap() error { return e.cause }

// failed takes down that a ended with err.
func (c *call) failed(a attempt, err error) {
	c.record.ends(a, err)
	c.hasFailed = append(c.hasFailed, a.member)
	c.errs = append(c.errs, attemptError{a.member.instance, err})
}

// fail returns the error of a call that end ended, or its last attempt's error if end is nil. That
// goes first in the text then.
func (c *call) fail(end error) error {
	if last := len(c.errs) - 1; end == nil && last > 0 {
		attempts := append([]error{c.errs[last]}, c.errs[:last]...)
		return &callError{nil, attempts}
	}
	return &callError{end, c.errs}
}
