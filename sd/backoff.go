package sd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	backoffFirst  = 100 * time.Millisecond
	backoffMax    = time.Second      // a backend paces its own dials, so asking it again is cheap
	backoffDenied = 30 * time.Second // somebody has to change a permission first
)

// A backoff is the pause between two calls of a Backend that both failed. The zero value is ready.
// It is used by one goroutine.
type backoff struct{ next time.Duration }

// reset makes the next pause a short one: the last call had succeeded.
func (b *backoff) reset() { b.next = 0 }

// wait pauses after a call that failed with err, with full jitter and an upper bound that doubles
// each time. It returns early when ctx is done, or ready is closed: then the cause is over.
func (b *backoff) wait(ctx context.Context, err error, ready <-chan struct{}) {
	b.next = min(max(2*b.next, backoffFirst), backoffMax)
	pause := rand.N(b.next)
	if errors.Is(err, ErrDenied) {
		pause = backoffDenied/2 + rand.N(backoffDenied/2)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-ready:
	case <-timer.C:
	}
}

// readyAfter returns a channel that b closes when a call that failed with err is to be repeated at
// once, or nil if b is no Waker.
func readyAfter(b Backend, err error) <-chan struct{} {
	if b, ok := b.(Waker); ok {
		return b.Ready(err)
	}
	return nil
}

// waitFor waits for done, and for timeout at most.
func waitFor(done <-chan struct{}, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
