package backoff

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// took returns how long b waits.
func took(ctx context.Context, b *Backoff, denied bool) time.Duration {
	start := time.Now()
	b.Wait(ctx, denied, nil)
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
			var b Backoff
			for n := range bounds {
				d := took(t.Context(), &b, false)
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
		var b Backoff
		for range 100 {
			took(t.Context(), &b, false)
			took(t.Context(), &b, false)
			b.Reset()
			if d := took(t.Context(), &b, false); d >= firstPause {
				t.Fatalf("pause after a success: want below %v, have %v", firstPause, d)
			}
		}
	})
}

// Only a person can mend a permission, so asking fast is of no use.
func TestBackoffIsSlowWhenDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Backoff
		for range 100 {
			d := took(t.Context(), &b, true)
			if d < deniedPause/2 || d >= deniedPause {
				t.Fatalf("pause when denied: want %v to %v, have %v", deniedPause/2,
					deniedPause, d)
			}
		}
	})
}

func TestBackoffEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var b Backoff
		if d := took(ctx, &b, true); d != time.Second {
			t.Errorf("pause: want it to end with ctx after %v, have %v", time.Second, d)
		}
		if d := took(ctx, &b, true); d != 0 {
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
			var b Backoff
			start := time.Now()
			b.Wait(t.Context(), true, ready)
			if took := time.Since(start); took != want {
				t.Errorf("pause: want %v, have %v", want, took)
			}
		}
	})
}
