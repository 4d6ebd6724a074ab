package hosts

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// dialInterval is the time between two dials in the long run, and a jitter of up to 8 % later:
	// a server that is back is found within 0.54 s.
	dialInterval = 500 * time.Millisecond
	// deniedPause is the time between two dials while only a person can mend the reason.
	deniedPause = 10 * time.Second
	// maxBorrowed is how many dials may be ahead of their time: the one that a probe's session
	// calls for, and the one after the answer to it, that the old session has expired.
	maxBorrowed = 2
)

// A Limiter is a token bucket that bounds how often a Session dials: each server once at once, then
// one every dialInterval. Without it go-zookeeper dials thousands of times a second when servers
// accept a session and close the connection. It holds a part of another token, which is drawn once,
// so that clients which lost the same server at one time do not dial in step.
//
// A dial that is urgent does not wait, and borrows its token: those that are queued after that wait
// longer. One that was queued before does not: its timer is set. Any waits if maxBorrowed are owed
// already, or a denial is. So in a time t there are fewer dials than
//
//	servers + 1 + maxBorrowed + t/dialInterval
type Limiter struct {
	mu     sync.Mutex
	burst  float64 // how many servers there are
	part   float64 // of a token
	tokens float64 // below 0, so many are owed
	queued float64 // dials that wait: the next tokens are theirs
	last   time.Time
}

// NewLimiter returns a Limiter for so many servers. The first dials do not wait.
func NewLimiter(servers int) *Limiter {
	burst, part := float64(servers), rand.Float64()
	return &Limiter{burst: burst, part: part, tokens: burst + part, last: time.Now()}
}

// Denied makes the next dial wait for 10 s: the servers refuse the client itself, only a person can
// mend that, and every try leaves a session behind on a server.
func (l *Limiter) Denied() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	l.tokens = min(l.tokens, 0) + 1 - float64(deniedPause)/float64(dialInterval)
}

// Wait returns when the next dial is due, of so many servers, when it has become urgent and may
// borrow, or when ctx is done.
func (l *Limiter) Wait(ctx context.Context, servers int, urgent <-chan struct{}) error {
	timer := time.NewTimer(l.queue(servers))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.unqueue()
			return ctx.Err()
		case <-urgent:
		case <-timer.C:
		}
		more := l.take()
		if more == 0 {
			break
		}
		timer.Reset(more)
	}
	select {
	case <-urgent: // it was that for this dial
	default:
	}
	return ctx.Err()
}

// queue queues a dial, and returns how long to wait until its token is there.
func (l *Limiter) queue(servers int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	if burst := float64(servers); burst > l.burst { // names have been resolved
		l.tokens, l.burst = l.tokens+burst-l.burst, burst
	}
	l.queued++
	missing := l.queued - l.tokens
	if missing <= 0 {
		return 0
	}
	jitter := 1 + 0.08*rand.Float64()
	return time.Duration(math.Ceil(missing * jitter * float64(dialInterval)))
}

// take takes the token of a dial that is queued, unless more than maxBorrowed would be owed then:
// it returns how long that is so.
func (l *Limiter) take() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	if owed := 1 - l.tokens; owed > maxBorrowed {
		return time.Duration(math.Ceil((owed - maxBorrowed) * float64(dialInterval)))
	}
	l.tokens--
	l.queued--
	return 0
}

// unqueue gives the token of a dial that is queued to the others.
func (l *Limiter) unqueue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued--
}

// Due returns how long a dial would have to wait now.
func (l *Limiter) Due() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
	return time.Duration(max(0, 1+l.queued-l.tokens) * float64(dialInterval))
}

// refill adds the tokens of the time that has passed.
func (l *Limiter) refill() {
	now := time.Now()
	l.tokens += float64(now.Sub(l.last)) / float64(dialInterval)
	l.last = now
	l.tokens = min(l.tokens, l.burst+l.part+l.queued)
}
