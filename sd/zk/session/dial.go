package session

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	dialTimeout  = time.Second
	dialsASecond = 2 // in the long run
	deniedPause  = 10 * time.Second
	minHandshake = 300 * time.Millisecond
	maxHandshake = 2 * time.Second
)

// hosts is go-zookeeper's HostProvider. Unlike the library's own it keeps names, which are resolved
// at every dial, so that a server may move, and one name that cannot be resolved does not stop the
// others.
type hosts struct {
	mu     sync.Mutex
	names  []string
	at     int
	tried  int // since the last session
	closed bool
}

func (h *hosts) Init(names []string) error {
	h.names = names
	h.at = rand.IntN(len(names))
	return nil
}

func (h *hosts) Len() int { return len(h.names) }

// Next returns the next host. RetryStart makes the library fail what is queued, pause for a second,
// and look whether it was closed: after each full round, not before the first as its own provider
// does for a single host.
func (h *hosts) Next() (server string, retryStart bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	retryStart = h.closed || h.tried > 0 && h.tried%len(h.names) == 0
	h.tried++
	h.at = (h.at + 1) % len(h.names)
	return h.names[h.at], retryStart
}

func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = 0
}

// prefer makes server the next host.
func (h *hosts) prefer(server string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.names, server); i >= 0 {
		h.at = i - 1
	}
}

// rounds counts how often all hosts were tried in vain.
func (h *hosts) rounds() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, h.tried-1) / len(h.names)
}

// close makes the library see that it was closed before its next dial.
func (h *hosts) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// handshakeTimeout is how long one server may take for its connect reply. After a failure is
// noticed a third of the session timeout is left, in which every host has its turn. It doubles with
// each round in vain, because a new session waits for a commit, and a slow disk must not cause a
// storm of dials.
func (h *hosts) handshakeTimeout(session time.Duration) time.Duration {
	t := min(max(session/3/time.Duration(len(h.names)), minHandshake), maxHandshake)
	return min(t<<min(h.rounds(), 10), max(session, minHandshake))
}

// A rateLimiter, a token bucket, bounds how often a Session dials: each host once at once, then
// twice a second with jitter. Without it go-zookeeper dials thousands of times a second when
// servers accept a session and close the connection.
//
// When every server has failed since the last session, and one refuses the client itself, it pauses
// for 10 s: only a person can mend that, and every try leaves a session behind on the server.
type rateLimiter struct {
	hosts int

	mu       sync.Mutex
	tokens   float64
	last     time.Time
	failures map[string]struct{} // of which servers, since the last session
}

func newRateLimiter(hosts int) *rateLimiter {
	return &rateLimiter{
		hosts:    hosts,
		tokens:   float64(hosts + 1),
		last:     time.Now(),
		failures: map[string]struct{}{},
	}
}

// failed notes that server gave no session, perhaps because it refuses the client itself.
func (l *rateLimiter) failed(server string, denied bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[server] = struct{}{}
	if denied && len(l.failures) >= l.hosts {
		l.refill()
		l.tokens = min(l.tokens, 0) - deniedPause.Seconds()*dialsASecond
	}
}

// accepted notes that there is a session.
func (l *rateLimiter) accepted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.failures)
}

// wait returns when the next dial is due, or when ctx is done.
func (l *rateLimiter) wait(ctx context.Context) error {
	timer := time.NewTimer(l.take())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}

// take takes a token, and returns how long to wait until it is there.
func (l *rateLimiter) take() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill()
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
	l.tokens = min(float64(l.hosts+1), l.tokens+now.Sub(l.last).Seconds()*dialsASecond)
	l.last = now
}
