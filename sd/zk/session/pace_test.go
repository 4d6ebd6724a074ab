package session

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// All hosts at once, and then two dials a second in the long run, not in step with others.
func TestRateLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 4 // three hosts, and one more
		var gaps []time.Duration
		p, start := newRateLimiter(3), time.Now()
		for n := range 200 {
			before := time.Now()
			if err := p.wait(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
			gap := time.Since(before)
			if n < burst && gap != 0 {
				t.Errorf("dial %d: want it at once, have it after %v", n+1, gap)
			}
			gaps = append(gaps, gap)
			// no window of any length has more than its burst and two a second
			if most := burst + time.Since(start).Seconds()*dialsASecond; float64(n+1) > most+1e-6 {
				t.Errorf("dials in %v: want %.1f at most, have %d", time.Since(start), most, n+1)
			}
		}
		if took := time.Since(start); took > 130*time.Second {
			t.Errorf("200 dials took %v, want 100s to 130s", took)
		}
		slices.Sort(gaps)
		if spread := len(slices.Compact(gaps[burst:])); spread < 50 {
			t.Errorf("gaps: want jitter, have %d different ones", spread)
		}
		time.Sleep(time.Hour) // saves up no more than the burst
		for range burst {
			p.take(3)
		}
		if p.take(3) == 0 {
			t.Error("after an hour: want a burst of 4, have more")
		}
	})
}

// Nobody waits for a rateLimiter after the end.
func TestRateLimiterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRateLimiter(3)
		for range 100 {
			p.take(3)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.wait(ctx, 3); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("want %v after 1s, have %v after %v", context.DeadlineExceeded, err, time.Since(start))
		}
	})
}

// Two clients of one Session share the rateLimiter: together they dial no more often.
func TestRateLimiterIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRateLimiter(3)
		var dials atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			go func() {
				for p.wait(ctx, 3) == nil {
					dials.Add(1)
				}
			}()
		}
		<-ctx.Done()
		synctest.Wait()
		if n := dials.Load(); n > 4+120 || n < 80 {
			t.Errorf("dials in a minute: want 80 to 124, have %d", n)
		}
	})
}
