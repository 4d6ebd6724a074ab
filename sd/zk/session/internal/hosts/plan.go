package hosts

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	minHandshake = 300 * time.Millisecond
	maxHandshake = 2 * time.Second
	minTurns     = 2 // of a server in a third of the session timeout
)

// A Plan says which server a handle dials next. It goes in rounds: in each, every server has one
// turn, in an order that is drawn anew. Names are looked up at the beginning of a round, and what
// is found meanwhile joins it.
type Plan struct {
	resolver *Resolver

	mu        sync.Mutex
	tried     map[Server]bool // in this round; nil before its beginning
	failed    map[Server]bool // since the last session
	last      Server          // the last to have a turn; not the first in the next round
	preferred string          // a server, which has the next turn
	slow      bool            // a server did not answer in time in this round
	rounds    int             // in which one did not, since the last session
}

// NewPlan returns a Plan over the servers that r knows.
func NewPlan(r *Resolver) *Plan {
	return &Plan{resolver: r, failed: map[Server]bool{}}
}

// Next returns the next server. It blocks only while there is none and lookups are under way, or
// until ctx is done. While there is a session to be saved, rounds do not count.
func (p *Plan) Next(ctx context.Context, saving bool) (Server, error) {
	for {
		p.begin()
		v := p.resolver.view()
		s, ok := p.pick(v.servers)
		switch {
		case ok:
			return s, nil
		case len(v.servers) > 0: // each had its turn
			p.end(!saving)
			continue
		case !v.looking:
			p.end(false)
			return Server{}, v.err
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return Server{}, ctx.Err()
		}
	}
}

// begin begins a round, if none is under way.
func (p *Plan) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tried == nil {
		p.tried = map[Server]bool{}
		p.resolver.refresh()
	}
}

// end ends a round in which no server gave a session.
func (p *Plan) end(counts bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if counts && p.slow {
		p.rounds++
	}
	p.tried, p.slow = nil, false
}

// TimedOut notes that a server did not answer in time.
func (p *Plan) TimedOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = true
}

// pick draws one of those that had no turn yet in this round.
func (p *Plan) pick(servers []Server) (s Server, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := make([]Server, 0, len(servers))
	for _, s := range servers {
		if s.String() == p.preferred {
			left = []Server{s}
			break
		}
		if !p.tried[s] && (s != p.last || len(p.tried) > 0 || len(servers) == 1) {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		return Server{}, false
	}
	s = left[rand.IntN(len(left))]
	p.tried[s], p.last, p.preferred = true, s, ""
	return s, true
}

// Prefer gives the server of that name the next turn, whether or not it had one in this round.
func (p *Plan) Prefer(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.preferred = name
}

// Failure notes that s gave no session, and reports whether every server has failed since the last
// session.
func (p *Plan) Failure(s Server) (all bool) {
	v := p.resolver.view()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed[s] = true
	for _, s := range v.servers {
		if !p.failed[s] {
			return false
		}
	}
	return true
}

// Success notes that a server gave a session. The next round begins with another one.
func (p *Plan) Success() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.slow, p.rounds = nil, false, 0
	clear(p.failed)
}

// Size is how many servers there are, one at least.
func (p *Plan) Size() int { return max(1, len(p.resolver.view().servers)) }

// HandshakeTimeout is how long one server may take for its connect reply. When the loss of a
// connection is noticed, a third of the session timeout is left, in which every server has its
// turn, and a single one has two. When there is no session to be saved the time doubles with each
// round in which it was too short: a new session waits for a commit, and a slow disk must not cause
// a storm of dials.
func (p *Plan) HandshakeTimeout(session time.Duration, saving bool) time.Duration {
	n := time.Duration(p.Size())
	p.mu.Lock()
	defer p.mu.Unlock()
	if saving {
		return min(max(session/3/max(n, minTurns), minHandshake), maxHandshake)
	}
	t := min(max(session/3/n, minHandshake), maxHandshake)
	return min(t<<min(p.rounds, 10), max(session, minHandshake))
}
