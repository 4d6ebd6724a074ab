package hosts

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// perInterval is how many dials d has room for in the long run.
func perInterval(d time.Duration) float64 { return float64(d) / float64(dialInterval) }

// All servers at once, and then one every dialInterval, or up to 8 % later.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 3
		p, start := NewLimiter(burst), time.Now()
		for n := range 200 {
			before := time.Now()
			if err := p.Wait(t.Context(), burst, nil); err != nil {
				t.Fatal(err)
			}
			gap := time.Since(before)
			if n < burst && gap != 0 || gap > dialInterval*108/100 {
				t.Errorf("dial %d: have it after %v", n+1, gap)
			}
			// no window of any length has more than its burst, and a part of a token
			if most := burst + 1 + perInterval(time.Since(start)); float64(n+1) > most {
				t.Errorf("dials in %v: want %.1f at most, have %d", time.Since(start), most, n+1)
			}
		}
		if took, want := time.Since(start), 197*dialInterval; took < want*99/100 || took > want*101/100 {
			t.Errorf("200 dials took %v, want %v", took, want)
		}
		time.Sleep(time.Hour) // saves up no more than the burst
		for range burst {
			p.queue(burst)
			p.take()
		}
		if p.queue(burst) == 0 {
			t.Error("after an hour: want a burst of 3, have more")
		}
	})
}

// A dial that is urgent does not wait, and those after it wait for what it owes: in the long run
// there are no more, however many are urgent.
func TestUrgentDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, urgent, start := NewLimiter(1), make(chan struct{}, 1), time.Now()
		dials := 0
		for time.Since(start) < time.Minute {
			if dials%2 == 0 {
				urgent <- struct{}{}
			}
			before := time.Now()
			p.Wait(t.Context(), 1, urgent)
			if took := time.Since(before); dials%2 == 0 && took != 0 {
				t.Errorf("an urgent dial had to wait for %v", took)
			}
			if due := p.Due(); due > 3*dialInterval {
				t.Errorf("dial %d: want the next one soon, have it due after %v", dials, due)
			}
			dials++
		}
		if most := 3 + perInterval(time.Minute); float64(dials) > most {
			t.Errorf("dials in a minute: want %.1f at most, have %d", most, dials)
		}
	})
}

// A dial that is queued does not wait for what another borrows after that; the one after it does.
func TestBorrowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewLimiter(1)
		p.queue(1)
		p.take()
		due := p.queue(1)
		p.queue(1)
		if more := p.take(); more != 0 {
			t.Errorf("urgent: want it at once, have it after %v", more)
		}
		time.Sleep(due)
		if more := p.take(); more != 0 {
			t.Errorf("queued before: want it when it was due, have it %v later", more)
		}
		if due := p.queue(1); due < dialInterval*3/2 {
			t.Errorf("queued after: want it to wait for both, have it after %v", due)
		}
	})
}

// Two handles dial, with pauses or without, and either is told at any time that its dial is urgent:
// the bound is that of Limiter, in a window of any length.
func TestLimiterIsExact(t *testing.T) {
	const servers = 3
	for _, pause := range []time.Duration{1, dialInterval, 2 * dialInterval, 4 * dialInterval} {
		synctest.Test(t, func(t *testing.T) {
			dials := dialLikeTwoHandles(t, NewLimiter(servers), servers, pause)
			for i, from := range dials {
				for n, to := range dials[i:] {
					if most := servers + 1 + maxBorrowed + perInterval(to.Sub(from)); float64(n+1) >= most {
						t.Fatalf("dials in %v: want fewer than %.2f, have %d", to.Sub(from), most, n+1)
					}
				}
			}
			if least := perInterval(9 * time.Minute); pause == 1 && float64(len(dials)) < least {
				t.Errorf("dials in 10 minutes: want %.0f at least, have %d", least, len(dials))
			}
		})
	}
}

// dialLikeTwoHandles returns when there were dials in ten minutes.
func dialLikeTwoHandles(t *testing.T, p *Limiter, servers int, pause time.Duration) []time.Time {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var dials []time.Time
	var handles sync.WaitGroup
	for range 2 {
		urgent := make(chan struct{}, 1)
		handles.Go(func() {
			for p.Wait(ctx, servers, urgent) == nil {
				mu.Lock()
				dials = append(dials, time.Now())
				mu.Unlock()
				time.Sleep(rand.N(pause))
			}
		})
		handles.Go(func() {
			for ctx.Err() == nil { // in crowds, with pauses
				time.Sleep(rand.N(1 + rand.N(20*dialInterval)))
				select {
				case urgent <- struct{}{}:
				default:
				}
			}
		})
	}
	handles.Wait()
	return dials
}

// Ten thousand clients that lose their server in one moment do not dial in step. One goroutine plays
// them all: so many in a bubble are more than the race detector takes
// (https://github.com/golang/go/issues/78156).
func TestHerdOfDials(t *testing.T) {
	const clients, window, seconds = 10_000, 50 * time.Millisecond, 20
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var dials [seconds * int(time.Second/window)]int
		var due herdOfDials
		for range clients {
			p := NewLimiter(1)
			heap.Push(&due, nextDial{start.Add(p.queue(1)), p})
		}
		for time.Until(due[0].at) < seconds*time.Second-time.Since(start) {
			time.Sleep(time.Until(due[0].at))
			dials[int(time.Since(start)/window)]++
			due[0].limiter.take()
			due[0].at = time.Now().Add(due[0].limiter.queue(1))
			heap.Fix(&due, 0)
		}
		mean := clients * perInterval(window)
		for n, have := range dials[1:] { // in the first, each dials once at once
			if float64(have) > 1.3*mean {
				t.Errorf("%v: want %.0f dials at most in %v, have %d", time.Duration(n+1)*window, 1.3*mean, window, have)
			}
		}
	})
}

// A nextDial is when a client dials again.
type nextDial struct {
	at      time.Time
	limiter *Limiter
}

// A herdOfDials is a heap, the next dial first.
type herdOfDials []nextDial

func (h herdOfDials) Len() int           { return len(h) }
func (h herdOfDials) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h herdOfDials) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *herdOfDials) Push(d any)        { *h = append(*h, d.(nextDial)) }
func (h *herdOfDials) Pop() any          { panic("nobody leaves") }

// Nobody waits for a Limiter after the end.
func TestLimiterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewLimiter(3)
		for range 100 {
			p.queue(3) // and wait
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.Wait(ctx, 3, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("want %v after 1s, have %v after %v", context.DeadlineExceeded, err, time.Since(start))
		}
	})
}

// Two clients of one Session share the Limiter: together they dial no more often.
func TestLimiterIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewLimiter(3)
		var dials atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			go func() {
				for p.Wait(ctx, 3, nil) == nil {
					dials.Add(1)
				}
			}()
		}
		<-ctx.Done()
		synctest.Wait()
		if n := dials.Load(); n > 4+120 || n < 120 {
			t.Errorf("dials in a minute: want 120 to 124, have %d", n)
		}
	})
}
