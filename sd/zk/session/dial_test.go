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

func newHosts(names ...string) *hosts {
	h := &hosts{}
	h.Init(names)
	return h
}

// The library is told to start over after each full round, and not before.
func TestHostsRounds(t *testing.T) {
	for n := 1; n <= 5; n++ {
		h := newHosts([]string{"a", "b", "c", "d", "e"}[:n]...)
		for _, connected := range []bool{false, true} {
			if connected {
				h.Connected()
			}
			var seen []string
			for try := range 3 * n {
				name, retryStart := h.Next()
				if want := try > 0 && try%n == 0; retryStart != want {
					t.Errorf("%d hosts, try %d: want retryStart %t, have %t", n, try+1, want, retryStart)
				}
				if want := try / n; h.rounds() != want {
					t.Errorf("%d hosts, try %d: want %d rounds, have %d", n, try+1, want, h.rounds())
				}
				seen = append(seen, name)
			}
			for round := range slices.Chunk(seen, n) {
				if slices.Sort(round); len(slices.Compact(round)) != n {
					t.Errorf("%d hosts: want each once in a round, have %q", n, seen)
				}
			}
		}
	}
}

// Clients do not all begin with the same host.
func TestHostsBeginAnywhere(t *testing.T) {
	begun := map[string]int{}
	for range 300 {
		name, _ := newHosts("a", "b", "c").Next()
		begun[name]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if begun[name] < 50 {
			t.Errorf("%s: want about 100 of 300 to begin there, have %d", name, begun[name])
		}
	}
}

// Closed hosts make the library look whether it was closed.
func TestHostsClosed(t *testing.T) {
	h := newHosts("a", "b")
	h.close()
	if _, retryStart := h.Next(); !retryStart {
		t.Error("retryStart: want true, have false")
	}
}

func TestHandshakeTimeout(t *testing.T) {
	for _, c := range []struct {
		hosts   int
		session time.Duration
		tried   int
		want    time.Duration
	}{
		{1, 3 * time.Second, 1, time.Second},
		{3, 9 * time.Second, 1, time.Second},
		{3, 9 * time.Second, 3, time.Second},
		{3, 9 * time.Second, 4, 2 * time.Second},  // one round in vain
		{3, 9 * time.Second, 7, 4 * time.Second},  // two
		{3, 9 * time.Second, 13, 9 * time.Second}, // never more than a session timeout
		{3, 9 * time.Second, 1 << 30, 9 * time.Second},
		{1, time.Minute, 1, maxHandshake},
		{5, time.Second, 1, minHandshake},
		{1, time.Millisecond, 1000, minHandshake}, // a server may grant anything
	} {
		h := newHosts(slices.Repeat([]string{"a"}, c.hosts)...)
		h.tried = c.tried
		if have := h.handshakeTimeout(c.session); have != c.want {
			t.Errorf("%+v: have %v", c, have)
		}
	}
}

// All hosts at once, and then two dials a second in the long run, not in step with others.
func TestRateLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 4 // three hosts, and one more
		var gaps []time.Duration
		p, start := newRateLimiter(3), time.Now()
		for n := range 200 {
			before := time.Now()
			if err := p.wait(t.Context()); err != nil {
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
			p.take()
		}
		if p.take() == 0 {
			t.Error("after an hour: want a burst of 4, have more")
		}
	})
}

// Nobody waits for a rateLimiter after the end.
func TestRateLimiterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRateLimiter(1)
		for range 100 {
			p.take()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
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
				for p.wait(ctx) == nil {
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
