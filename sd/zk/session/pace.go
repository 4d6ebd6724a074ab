package session

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	dialsASecond = 2 // in the long run
	deniedPause  = 10 * time.Second
)

// A rateLimiter, a token bucket, bounds how often a Session dials: each target once at once, then
// twice a second with jitter. Without it go-zookeeper dials thousands of times a second when
// servers accept a session and close the connection.
type rateLimiter struct {
	mu     sync.Mutex
	burst  float64 // one more than there are targets
	tokens float64
	last   time.Time
}

func newRateLimiter(targets int) *rateLimiter {
	burst := float64(targets + 1)
	return &rateLimiter{burst: burst, tokens: burst, last: time.Now()}
}

// denied makes the next dial wait for 10 s: the targets refuse the client itself, only a person can
// mend that, and every try leaves a session behind on a server.
func (l *rateLimiter) denied() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	l.tokens = min(l.tokens, 0) - deniedPause.Seconds()*dialsASecond
}

// wait returns when the next dial is due, of so many targets, or when ctx is done.
func (l *rateLimiter) wait(ctx context.Context, targets int) error {
	timer := time.NewTimer(l.take(targets))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}

// take takes a token, and returns how long to wait until it is there.
func (l *rateLimiter) take(targets int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	if burst := float64(targets + 1); burst > l.burst { // names have been resolved
		l.tokens, l.burst = l.tokens+burst-l.burst, burst
	}
	l.tokens--
	if l.tokens >= 0 {
		return 0
	}
	short := time.Duration(-l.tokens / dialsASecond * float64(time.Second))
	return short + rand.N(short/2+1)
}

// refill adds the tokens of the time that has passed.
func (l *rateLimiter) refill() {
	now := time.Now()
	l.tokens = min(l.burst, l.tokens+now.Sub(l.last).Seconds()*dialsASecond)
	l.last = now
}
