package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// failure is the error of a call that end ended, after attempts that failed like this: instance,
// cause, instance, cause.
func failure(end error, attempts ...any) error {
	var c call
	for i := 0; i < len(attempts); i += 2 {
		c.failed(attempt{member: &Member{instance: attempts[i].(string)}}, attempts[i+1].(error))
	}
	return c.fail(end)
}

func TestErrorTellsEachInstanceOnce(t *testing.T) {
	refused, reset := error(syscall.ECONNREFUSED), error(syscall.ECONNRESET)
	named := fmt.Errorf("dial a:1: %w", refused)
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"no attempt", failure(ErrClosed), "lb: pool closed"},
		{"one", failure(errAttempts, "a:1", refused),
			"lb: no attempts left; a:1: connection refused"},
		{"each its own", failure(ErrBudget, "b:1", reset, "a:1", refused),
			"lb: retry budget exhausted; b:1: connection reset by peer; " +
				"a:1: connection refused"},
		{"again and again",
			failure(errAttempts, "a:1", reset, "b:1", reset, "a:1", reset, "a:1", refused),
			"lb: no attempts left; 4 attempts, the last of each: a:1: connection refused; " +
				"b:1: connection reset by peer"},
		{"one again", failure(errAttempts, "a:1", reset, "a:1", refused),
			"lb: no attempts left; 2 attempts, the last: a:1: connection refused"},
		{"named by the cause", failure(errAttempts, "a:1", named),
			"lb: no attempts left; dial a:1: connection refused"},
	} {
		if have := test.err.Error(); test.want != have {
			t.Errorf("%s:\nwant %q\nhave %q", test.name, test.want, have)
		}
	}
}

// However many attempts there were, a log line bears the text, and errors.Is finds every cause.
func TestErrorOfManyAttempts(t *testing.T) {
	var attempts []any
	var causes []error
	for i := range 1000 {
		cause := fmt.Errorf("cause %d", i)
		causes = append(causes, cause)
		attempts = append(attempts, fmt.Sprintf("192.0.2.%d:1", i%100), cause)
	}
	err := failure(ErrBudget, attempts...)
	if text := err.Error(); len(text) > 500 || !strings.HasSuffix(text, "; and 95 more instances") {
		t.Errorf("want five instances and a count, have %d bytes: %s", len(text), text)
	}
	for _, want := range append(causes, ErrBudget) {
		if !errors.Is(err, want) {
			t.Fatalf("want %v found in the error", want)
		}
	}
}

// With a cause of the context's own, the error matches the context's error as well.
func TestCauseBesideTheContextsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := start(newFleet(1), Reserve(0))
		defer p.Close()
		r.reset()
		synctest.Wait()
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Millisecond, func() { cancel(enough) })
		_, err := Retry(p, NewRandom())(ctx, 1)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, enough) {
			t.Errorf("want %v and %v, have %v", context.Canceled, enough, err)
		}
	})
}

// Of a call that has met two servers one may have acted, though the other refused: it is not made
// again unless that may be.
func TestOneOfSeveralCausesWasSent(t *testing.T) {
	inner := func(t *testing.T, errs ...error) kitendpoint.Endpoint {
		f := newFleet(len(errs))
		p, _ := start(f)
		t.Cleanup(func() { p.Close() })
		for i, err := range errs {
			f[names(len(errs))[i]].fail(err)
		}
		return Retry(p, inTurn(names(len(errs))), Attempts(len(errs)), Timeout(time.Second), Idempotent())
	}
	silent := dialError(context.DeadlineExceeded)
	for name, c := range map[string]struct {
		errs []error
		want int // attempts
	}{
		"refused, then reset":    {[]error{errRefused, errReset}, 1},
		"reset, then refused":    {[]error{errReset, errRefused}, 1},
		"refused, then silent":   {[]error{errRefused, errEndless}, 1},
		"refused twice":          {[]error{errRefused, errRefused}, 3},
		"no connection, refused": {[]error{silent, errRefused}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := start(newFleet(3))
				defer p.Close()
				have, below := 0, inner(t, c.errs...)
				for _, m := range p.members {
					m.serve = func(ctx context.Context, request any) (any, error) {
						have++
						return below(ctx, request)
					}
				}
				_, err := Retry(p, NewRandom(), Attempts(3), Timeout(time.Minute))(t.Context(), 1)
				if err == nil || c.want != have {
					t.Errorf("want %d attempts, have %d: %v", c.want, have, err)
				}
			})
		})
	}
}
