// Package backoff is the pause between two calls that failed.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause  = 100 * time.Millisecond
	maxPause    = time.Second      // a backend paces its own dials, so asking it again is cheap
	deniedPause = 30 * time.Second // somebody has to change a permission first
)

// A Backoff is the pause between two calls of an sd.Backend that both failed. The zero value is
// ready. It is used by one goroutine.
type Backoff struct{ next time.Duration }

// Reset makes the next pause a short one: the last call had succeeded.
func (b *Backoff) Reset() { b.next = 0 }

// Wait pauses after a call that failed, with full jitter and an upper bound that doubles each time,
// or for long if the call was denied. It returns early when ctx is done, or ready is closed: then
// the cause is over.
func (b *Backoff) Wait(ctx context.Context, denied bool, ready <-chan struct{}) {
	b.next = min(max(2*b.next, firstPause), maxPause)
	pause := rand.N(b.next)
	if denied {
		pause = deniedPause/2 + rand.N(deniedPause/2)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-ready:
	case <-timer.C:
	}
}

// WaitFor waits for done, and for timeout at most.
func WaitFor(done <-chan struct{}, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
