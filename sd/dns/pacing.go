package dns

import (
	"context"
	"sync"
	"time"

	"example.com/daytime/sd/internal/backoff"
)

// maxRest is the longest pause after reads that failed.
const maxRest = 5 * time.Second

// A pacing has the Watches of a Backend rest while reads fail: one can be thousands of questions,
// and the callers of Watch call again at once. The zero value is ready.
type pacing struct {
	mu      sync.Mutex
	failure error         // of the last read; nil: there was an answer
	pause   time.Duration // after the failure; doubles with each
	over    time.Time     // when the pause is
}

// answered ends the pauses.
func (p *pacing) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure, p.pause, p.over = nil, 0, time.Time{}
}

// failed begins a pause, of most at most, and returns err.
func (p *pacing) failed(err error, most time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure, p.pause = err, min(max(2*p.pause, minInterval), most)
	p.over = time.Now().Add(p.pause)
	return err
}

// rest waits until the pause is over, or ctx is done.
func (p *pacing) rest(ctx context.Context) {
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	backoff.WaitFor(ctx.Done(), time.Until(over))
}

// maxNap is how long a timer runs at most before the clock is looked at: it stands still while the
// host sleeps.
const maxNap = time.Minute

// keep waits until what came at begun may be kept no longer, or ctx is done: for the time ttl, and
// less if the clock says so.
func keep(ctx context.Context, begun time.Time, ttl time.Duration) {
	over := begun.Add(ttl).Round(0) // by the clock on the wall
	for left := min(ttl, time.Until(over)); left > 0 && ctx.Err() == nil; {
		nap := min(left, maxNap)
		backoff.WaitFor(ctx.Done(), nap)
		left = min(left-nap, time.Until(over))
	}
}

// err is that of the last read, or nil.
func (p *pacing) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}
