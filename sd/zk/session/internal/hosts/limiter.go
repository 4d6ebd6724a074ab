package hosts

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// dialInterval is the time between two dials in the long run, with a jitter of 4 % both ways: a
	// server that is back is found within 0.54 s.
	dialInterval = 500 * time.Millisecond
	// deniedPause is the time between two dials while only a person can mend the reason.
	deniedPause = 10 * time.Second
)

// A Limiter is a token bucket that bounds how often a Session dials: each server once at once, then
// one every dialInterval. Without it go-zookeeper dials thousands of times a second when servers
// accept a session and close the connection. Of the next token there is a part at the beginning,
// which is drawn, so that clients which lost the same server at one time do not dial in step.
//
// A dial that is urgent does not wait, and owes its token: those after it wait longer.
type Limiter struct {
	mu     sync.Mutex
	burst  float64 // how many servers there are
	tokens float64
	last   time.Time
}

// NewLimiter returns a Limiter for so many servers. The first dials do not wait.
func NewLimiter(servers int) *Limiter {
	burst := float64(servers)
	return &Limiter{burst: burst, tokens: burst + rand.Float64(), last: time.Now()}
}

// Denied makes the next dial wait for 10 s: the servers refuse the client itself, only a person can
// mend that, and every try leaves a session behind on a server.
func (l *Limiter) Denied() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	l.tokens = min(l.tokens, 0) + 1 - float64(deniedPause)/float64(dialInterval)
}

// Wait returns when the next dial is due, of so many servers, when it has become urgent, or when
// ctx is done.
func (l *Limiter) Wait(ctx context.Context, servers int, urgent <-chan struct{}) error {
	timer := time.NewTimer(l.take(servers))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-urgent:
	case <-timer.C:
	}
	select {
	case <-urgent: // it was that for this dial
	default:
	}
	return ctx.Err()
}

// take takes a token, and returns how long to wait until it is there.
func (l *Limiter) take(servers int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	if burst := float64(servers); burst > l.burst { // names have been resolved
		l.tokens, l.burst = l.tokens+burst-l.burst, burst
	}
	l.tokens--
	if l.tokens >= 0 {
		return 0
	}
	jitter := 0.96 + 0.08*rand.Float64()
	return time.Duration(-l.tokens * jitter * float64(dialInterval))
}

// Due returns how long a dial would have to wait now.
func (l *Limiter) Due() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	return time.Duration(max(0, 1-l.tokens) * float64(dialInterval))
}

// refill adds the tokens of the time that has passed.
func (l *Limiter) refill() {
	now := time.Now()
	l.tokens += float64(now.Sub(l.last)) / float64(dialInterval)
	l.last = now
	if l.tokens > l.burst {
		l.tokens = l.burst + rand.Float64()
	}
}
