package sd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errTest = errors.New("on demand")

// took returns how long b waits after err.
func took(ctx context.Context, b *backoff, err error) time.Duration {
	start := time.Now()
	b.wait(ctx, err, nil)
	return time.Since(start)
}

// The n-th pause is anything below a bound that doubles: full jitter keeps clients that failed
// together from coming back together.
func TestBackoffDoublesItsBound(t *testing.T) {
	const rounds = 500
	bounds := []time.Duration{100, 200, 400, 800, 1000, 1000} // ms
	synctest.Test(t, func(t *testing.T) {
		longest := make([]time.Duration, len(bounds))
		shortest := slices.Repeat([]time.Duration{time.Hour}, len(bounds))
		for range rounds {
			var b backoff
			for n := range bounds {
				d := took(t.Context(), &b, errTest)
				longest[n] = max(longest[n], d)
				shortest[n] = min(shortest[n], d)
			}
		}
		for n, bound := range bounds {
			bound *= time.Millisecond
			if longest[n] >= bound || longest[n] < bound*9/10 {
				t.Errorf("pause %d, longest of %d: want just below %v, have %v", n+1, rounds, bound,
					longest[n])
			}
			if shortest[n] > bound/10 {
				t.Errorf("pause %d, shortest of %d: want jitter down to nothing, have %v", n+1,
					rounds, shortest[n])
			}
		}
	})
}

func TestBackoffStartsAgainAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backoff
		for range 100 {
			took(t.Context(), &b, errTest)
			took(t.Context(), &b, errTest)
			b.reset()
			if d := took(t.Context(), &b, errTest); d >= backoffFirst {
				t.Fatalf("pause after a success: want below %v, have %v", backoffFirst, d)
			}
		}
	})
}

// Only a person can mend a permission, so asking fast is of no use.
func TestBackoffIsSlowWhenDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backoff
		for range 100 {
			d := took(t.Context(), &b, fmt.Errorf("create: %w", ErrDenied))
			if d < backoffDenied/2 || d >= backoffDenied {
				t.Fatalf("pause when denied: want %v to %v, have %v", backoffDenied/2,
					backoffDenied, d)
			}
		}
	})
}

func TestBackoffEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var b backoff
		if d := took(ctx, &b, ErrDenied); d != time.Second {
			t.Errorf("pause: want it to end with ctx after %v, have %v", time.Second, d)
		}
		if d := took(ctx, &b, ErrDenied); d != 0 {
			t.Errorf("pause with ctx done: want none, have %v", d)
		}
	})
}

// A pause is over when what failed is worth repeating, also a long one, and if it was so before.
func TestBackoffEndsWhenReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(ready) })
		for _, want := range []time.Duration{time.Second, 0} {
			var b backoff
			start := time.Now()
			b.wait(t.Context(), ErrDenied, ready)
			if took := time.Since(start); took != want {
				t.Errorf("pause: want %v, have %v", want, took)
			}
		}
	})
}
