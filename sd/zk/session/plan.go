package session

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	minHandshake = 300 * time.Millisecond
	maxHandshake = 2 * time.Second
	minTurns     = 2 // of a target in a third of the session timeout
)

// A plan says which target a handle dials next. It goes in rounds: in each, every target has one
// turn, in an order that is drawn anew. Names are looked up at the beginning of a round, and what
// is found meanwhile joins it.
type plan struct {
	resolver *resolver

	mu        sync.Mutex
	tried     map[target]bool // in this round; nil before its beginning
	failed    map[target]bool // since the last session
	last      target          // the last to have a turn; not the first in the next round
	preferred string          // a target, which has the next turn
	slow      bool            // a target did not answer in time in this round
	rounds    int             // in which one did not, since the last session
}

func newPlan(r *resolver) *plan {
	return &plan{resolver: r, failed: map[target]bool{}}
}

// next returns the next target. It blocks only while there is none and lookups are under way. While
// there is a session to be saved, rounds do not count.
func (p *plan) next(ctx context.Context, saving bool) (target, error) {
	for {
		p.begin()
		v := p.resolver.view()
		t, ok := p.pick(v.targets)
		switch {
		case ok:
			return t, nil
		case len(v.targets) > 0: // each had its turn
			p.end(!saving)
			continue
		case !v.looking:
			p.end(false)
			return target{}, v.err
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return target{}, ctx.Err()
		}
	}
}

// begin begins a round, if none is under way.
func (p *plan) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tried == nil {
		p.tried = map[target]bool{}
		p.resolver.refresh()
	}
}

// end ends a round in which no target gave a session.
func (p *plan) end(counts bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if counts && p.slow {
		p.rounds++
	}
	p.tried, p.slow = nil, false
}

// timedOut notes that a target did not answer in time.
func (p *plan) timedOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = true
}

// pick draws one of those that had no turn yet in this round.
func (p *plan) pick(targets []target) (t target, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := make([]target, 0, len(targets))
	for _, t := range targets {
		if t.String() == p.preferred {
			left = []target{t}
			break
		}
		if !p.tried[t] && (t != p.last || len(p.tried) > 0 || len(targets) == 1) {
			left = append(left, t)
		}
	}
	if len(left) == 0 {
		return target{}, false
	}
	t = left[rand.IntN(len(left))]
	p.tried[t], p.last, p.preferred = true, t, ""
	return t, true
}

// prefer gives the target of that name the next turn, whether or not it had one in this round.
func (p *plan) prefer(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.preferred = name
}

// failure notes that t gave no session, and reports whether every target has failed since the last
// session.
func (p *plan) failure(t target) (all bool) {
	v := p.resolver.view()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed[t] = true
	for _, t := range v.targets {
		if !p.failed[t] {
			return false
		}
	}
	return true
}

// success notes that a target gave a session. The next round begins with another one.
func (p *plan) success() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.slow, p.rounds = nil, false, 0
	clear(p.failed)
}

// size is how many targets there are, one at least.
func (p *plan) size() int { return max(1, len(p.resolver.view().targets)) }

// handshakeTimeout is how long one target may take for its connect reply. When the loss of a
// connection is noticed, a third of the session timeout is left, in which every target has its
// turn, and a single one has two. When there is no session to be saved the time doubles with each
// round in which it was too short: a new session waits for a commit, and a slow disk must not cause
// a storm of dials.
func (p *plan) handshakeTimeout(session time.Duration, saving bool) time.Duration {
	n := time.Duration(p.size())
	p.mu.Lock()
	defer p.mu.Unlock()
	if saving {
		return min(max(session/3/max(n, minTurns), minHandshake), maxHandshake)
	}
	t := min(max(session/3/n, minHandshake), maxHandshake)
	return min(t<<min(p.rounds, 10), max(session, minHandshake))
}
