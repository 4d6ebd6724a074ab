package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	kitlb "github.com/go-kit/kit/sd/lb"
)

// What errors.Is finds in the error of a call, beside the causes of its attempts.
var (
	ErrClosed = errors.New("lb: pool closed")            // the Pool was closed
	ErrBudget = errors.New("lb: retry budget exhausted") // too many retries of late: see Budget

	errAttempts = errors.New("lb: no attempts left")
	errPanicked = errors.New("lb: endpoint panicked")
)

// nobody is why a call ends that has found nobody to call.
func nobody(ctx context.Context) error {
	return fmt.Errorf("%w: %w", kitlb.ErrNoEndpoints, context.Cause(ctx))
}

// A callError is a call that failed: what ended it, and how each of its attempts did.
type callError struct {
	end      error
	attempts []error
}

func (e *callError) Error() string {
	var b strings.Builder
	b.WriteString(e.end.Error())
	for i, err := range e.attempts {
		fmt.Fprintf(&b, "; attempt %d: %v", i+1, err)
	}
	return b.String()
}

func (e *callError) Unwrap() []error { return append([]error{e.end}, e.attempts...) }

// failed takes down an attempt on m that ended with err.
func (c *call) failed(m *Member, err error) {
	c.tried = append(c.tried, m)
	c.errs = append(c.errs, fmt.Errorf("%s: %w", m.instance, err))
}

// fail returns the error of a call that end ended.
func (c *call) fail(end error) error { return &callError{end, c.errs} }
