package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// An endpointError says by itself whether a server can have acted on the request.
type endpointError struct{ unsent bool }

func (e endpointError) Error() string { return fmt.Sprintf("unsent: %v", e.unsent) }
func (e endpointError) Unsent() bool  { return e.unsent }

// A timeoutError has no more of a net.Error than is needed.
type timeoutError struct{}

func (timeoutError) Error() string { return "took too long" }
func (timeoutError) Timeout() bool { return true }

func dialError(cause error) error {
	return fmt.Errorf("cannot connect: %w", &net.OpError{Op: "dial", Net: "tcp", Err: cause})
}

// What is made again, and what goes to the caller: certainly unsent, answered by a server that is
// ill, and everything else.
func TestWhatIsTriedAgain(t *testing.T) {
	own := errors.New("no such user")
	for _, test := range []struct {
		err              error
		safe, idempotent bool // tried again
	}{
		{syscall.ECONNREFUSED, true, true},
		{dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)), true, true},
		{dialError(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), true, true},
		{dialError(context.DeadlineExceeded), true, true},
		{dialError(&net.DNSError{Err: "no such host", IsNotFound: true}), true, true},
		{dialError(syscall.EMFILE), true, true},
		{syscall.EHOSTUNREACH, true, true},
		{endpointError{true}, true, true},
		{fmt.Errorf("call: %w", endpointError{true}), true, true},
		{&net.OpError{Op: "proxyconnect", Err: dialError(os.ErrDeadlineExceeded)}, true, true},
		{errors.Join(syscall.EINVAL, syscall.EHOSTUNREACH), true, true},

		{fmt.Errorf("%w: %w", endpointError{false}, syscall.ECONNRESET), false, true},
		{fmt.Errorf("%w: %w", endpointError{false}, syscall.ECONNREFUSED), false, false},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.EHOSTUNREACH}, false, true},
		{errReset, false, true},
		{syscall.EPIPE, false, true},
		{io.EOF, false, true},
		{io.ErrUnexpectedEOF, false, true},
		{context.DeadlineExceeded, false, true},
		{os.ErrDeadlineExceeded, false, true},
		{fmt.Errorf("call: %w", timeoutError{}), false, true},
		{errors.Join(syscall.EINVAL, syscall.ECONNRESET), false, true},

		{own, false, false},
		{context.Canceled, false, false},
		{endpointError{false}, false, false},
	} {
		for _, idempotent := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(3)
				for _, s := range f {
					s.fail(test.err)
				}
				p, _ := start(f)
				defer p.Close()
				var options []RetryOption
				want := 1
				if test.safe && !idempotent || test.idempotent && idempotent {
					want = 3
				}
				if idempotent {
					options = append(options, Idempotent())
				}
				ctx, trace := WithTrace(t.Context())
				_, err := Retry(p, NewRandom(), append(options, Attempts(3))...)(ctx, 1)
				if want != trace.Attempts || !errors.Is(err, test.err) {
					t.Errorf("%v, idempotent %v: want it after %d attempts, have %v after %d",
						test.err, idempotent, want, err, trace.Attempts)
				}
			})
		}
	}
}

func TestClassifierDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, conflict, wrong := errors.New("busy"), errors.New("conflict"), errors.New("wrong")
		var numbers []int
		classify := Classify(func(n int, err error) Verdict {
			numbers = append(numbers, n)
			switch {
			case errors.Is(err, busy):
				return Elsewhere
			case errors.Is(err, conflict):
				return Retryable
			case errors.Is(err, syscall.ECONNREFUSED):
				return Permanent
			default:
				return Undecided
			}
		})
		f := newFleet(2)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), classify, Attempts(4))
		for _, test := range []struct {
			err      error
			attempts int
			paused   bool
		}{
			{busy, 4, true}, {conflict, 4, true}, {errRefused, 1, false}, {wrong, 1, false},
			{dialError(wrong), 4, true},
		} {
			numbers = nil
			for _, s := range f {
				s.fail(test.err)
			}
			ctx, tries := WithTries(t.Context())
			begin := time.Now()
			if _, err := call(ctx, 1); !errors.Is(err, test.err) {
				t.Errorf("want %v, have %v", test.err, err)
			}
			have := len(*tries)
			if test.attempts != have || len(numbers) != have || numbers[have-1] != have {
				t.Errorf("%v: want %d attempts, have %d, numbered %v", test.err, test.attempts, have, numbers)
			}
			if have := time.Since(begin) > 0; test.paused != have {
				t.Errorf("%v: want a pause: %v, have %v", test.err, test.paused, have)
			}
			for _, s := range f {
				s.fail(nil)
			}
			time.Sleep(time.Minute)
			drive(t.Context(), call, 20, time.Second)
		}
	})
}

// Retryable may go to the same member again, also if it is the only one.
func TestRetryableStaysWithTheMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1)
		p, _ := start(f)
		defer p.Close()
		left := 3
		p.members[names(1)[0]].serve = func(context.Context, any) (any, error) {
			if left--; left >= 0 {
				return nil, errors.New("conflict")
			}
			return 0, nil
		}
		call := Retry(p, NewRandom(), Classify(func(int, error) Verdict { return Retryable }))
		begin := time.Now()
		ask(t, call, 1)
		if have := time.Since(begin); have > 350*time.Millisecond {
			t.Errorf("three pauses: want 350 ms at most, have %v", have)
		}
	})
}

// Bad requests draw on no budget: the good ones have it when a server dies.
func TestBadRequestsCostNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		for name, s := range f {
			p.members[name].serve = func(ctx context.Context, request any) (any, error) {
				if request == "bad" {
					return nil, errors.New("bad request")
				}
				return s.serve(ctx, request)
			}
		}
		call := Retry(p, NewRandom(), Idempotent(), Budget(0, 1))
		requests := uint64(0)
		for range 1000 {
			_, err := call(t.Context(), "bad")
			if err == nil || !strings.Contains(err.Error(), "bad request") {
				t.Fatalf("want the error, have %v", err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		for _, s := range p.Stats() {
			requests += s.Requests
			f[s.Instance].fail(errReset)
			drive(t.Context(), call, 3, 10*time.Millisecond).wantNoFailure(t)
			f[s.Instance].fail(nil)
			time.Sleep(5 * time.Second)
			drive(t.Context(), call, 100, 10*time.Millisecond).wantNoFailure(t)
		}
		if requests != 1000 {
			t.Errorf("1000 bad requests: want one attempt each, have %d", requests)
		}
	})
}

// No attempt begins in the last moments of a call.
func TestNoAttemptInTheLastMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(10)
		for _, s := range f {
			s.fail(errEndless)
		}
		p, _ := start(f)
		defer p.Close()
		for range 20 {
			ctx, tries := WithTries(t.Context())
			_, err := Retry(p, NewRandom(), Idempotent(), Budget(1, 100))(ctx, 1)
			if want, have := 3, len(*tries); want != have || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("want %d attempts, have %d, %v", want, have, err)
			}
			for i, try := range *tries {
				want := 2*time.Second - time.Duration(i)*2*time.Second/3
				if (try.Took - want).Abs() > time.Microsecond {
					t.Errorf("attempt %d: want it to take %v, have %+v", i, want, try)
				}
			}
		}
	})
}

// A member that joins in the last moments comes too late for a call that pauses.
func TestNoAttemptOnALatecomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			f := newFleet(2)
			all := names(2)
			f[all[0]].fail(errRefused)
			r := new(registry)
			p := NewPool(r, f.factory, nopLogger())
			r.reset(all[0])
			synctest.Wait()
			time.AfterFunc(1990*time.Millisecond, func() { r.up(all[1]) })
			_, err := Retry(p, NewRandom(), Timeout(2*time.Second))(t.Context(), 1)
			if !errors.Is(err, context.DeadlineExceeded) || f[all[1]].calls.Load() > 0 {
				t.Fatalf("want no attempt on the latecomer, have %v", err)
			}
			p.Close()
		}
	})
}

func TestTriesTellAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		all := names(3)
		f[all[0]].fail(errRefused)
		f[all[1]].fail(errEndless)
		f[all[2]].latency = 10 * time.Millisecond
		ctx, tries := WithTries(WithIdempotent(t.Context(), true))
		ask(t, func(_ context.Context, request any) (any, error) {
			return Retry(p, inTurn(all))(ctx, request)
		}, 1)
		have := fmt.Sprint((*tries)[0], (*tries)[1], (*tries)[2])
		want := fmt.Sprint(
			Try{all[0], errRefused, 0},
			Try{all[1], errOutrun, 2*time.Second/3 + 10*time.Millisecond},
			Try{all[2], nil, 10 * time.Millisecond})
		if len(*tries) != 3 || want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	})
}

// inTurn picks members in the order of their names.
type inTurn []string

func (p inTurn) Pick(_ context.Context, s *Snapshot, tried []*Member) *Member {
	for _, name := range p {
		for i := range s.Len() {
			if m := s.At(i); m.instance == name && !contains(tried, m) {
				return m
			}
		}
	}
	return nil
}

func contains(members []*Member, m *Member) bool {
	for _, other := range members {
		if other == m {
			return true
		}
	}
	return false
}

// A call that an endpoint makes through another Retry is not the one that is traced.
func TestTraceIsOfOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(newFleet(1))
		defer p.Close()
		inner := Retry(p, NewRandom())
		slow := func(string) (kitendpoint.Endpoint, io.Closer, error) {
			return func(ctx context.Context, request any) (any, error) {
				time.Sleep(700 * time.Millisecond) // a second attempt begins beside the first
				return inner(ctx, request)
			}, nil, nil
		}
		r := new(registry)
		outer := NewPool(r, slow, nopLogger())
		defer outer.Close()
		r.reset(names(2)...)
		synctest.Wait()
		ctx, trace := WithTrace(t.Context())
		ctx, tries := WithTries(ctx)
		if _, err := Retry(outer, NewRandom(), Idempotent())(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if trace.Attempts != 2 || len(*tries) != 2 {
			t.Errorf("want two attempts, have %+v, %+v", trace, *tries)
		}
	})
}
