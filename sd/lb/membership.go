package lb

import (
	"time"

	"example.com/daytime/sd"
)

const (
	remakeMin = int64(100 * time.Millisecond)
	remakeMax = int64(30 * time.Second)
	// patience is how long endpoints that are made stay unpublished while others are being made.
	patience = 10 * time.Millisecond
)

// apply takes a change in. Only run calls it.
func (p *Pool) apply(c sd.Change) {
	p.mu.Lock()
	now := p.now()
	if !p.known {
		p.known, p.knownAt = true, now
	}
	p.set++
	fresh := p.list(c.Up)
	var left []*Member
	if c.Reset {
		left = p.unseen()
	} else {
		for _, instance := range c.Down {
			if m := p.members[instance]; m != nil {
				left = append(left, m)
			}
		}
	}
	gone := p.unlist(left, now)
	p.publish()
	p.mu.Unlock()
	for _, m := range gone {
		m.retire()
	}
	p.make(fresh)
}

// list marks instances as listed, takes those in reserve back, and returns new members for those it does not know.
// An instance listed twice is one member. The caller holds mu.
func (p *Pool) list(instances []string) (fresh []*Member) {
	for _, instance := range instances {
		m := p.members[instance]
		switch {
		case m == nil:
			m = p.recall(instance)
			p.members[instance] = m
			if m.serve == nil {
				fresh = append(fresh, m)
			} else {
				p.move(m, ready)
			}
		case m.place == reserve:
			p.move(m, ready)
		}
		m.seen = p.set
	}
	return fresh
}

// unseen returns the listed members that the latest whole set lacks. The caller holds mu.
func (p *Pool) unseen() (left []*Member) {
	for _, m := range p.members {
		if m.seen != p.set && m.place != reserve {
			left = append(left, m)
		}
	}
	return left
}

// unlist moves members into the reserve, and returns those that do not go there. The caller holds mu.
func (p *Pool) unlist(left []*Member, now int64) (gone []*Member) {
	for _, m := range left {
		switch {
		case m.place == reserve || p.members[m.instance] != m: // named twice
		case m.place == nowhere || p.config.reserve == 0:
			p.discard(m)
			gone = append(gone, m)
		default:
			m.leftAt = now
			p.move(m, reserve)
			p.plan(now+p.config.reserve, m, endReserve)
		}
	}
	return gone
}

// discard takes m off its shelf for good. The caller holds mu, publishes, and retires m after that.
func (p *Pool) discard(m *Member) {
	p.move(m, nowhere)
	delete(p.members, m.instance)
	p.remember(m)
}

// make calls the factory for each of members and publishes them as they come. Only run calls it.
func (p *Pool) make(members []*Member) {
	published := time.Now()
	var made []*Member
	for i, m := range members {
		if p.build(m) {
			made = append(made, m)
		}
		if i == len(members)-1 || time.Since(published) > patience {
			p.enlist(made)
			made, published = made[:0], time.Now()
		}
	}
}

// build gives m its endpoint, or plans another try.
func (p *Pool) build(m *Member) bool {
	serve, closer, err := p.factory(m.instance)
	if err == nil && serve == nil {
		err = errNoEndpoint
	}
	if err == nil {
		m.serve, m.closer, m.gone = serve, closer, p.open.Done
		p.open.Add(1)
		return true
	}
	wait := min(remakeMin<<min(m.tries, 10), remakeMax)
	m.tries++
	p.logger.Log("msg", "no endpoint, trying again", "instance", m.instance, "err", err, "attempt", m.tries)
	p.mu.Lock()
	p.plan(p.now()+wait, m, remake)
	p.mu.Unlock()
	return false
}

// enlist opens members, which have their endpoints, to picks.
func (p *Pool) enlist(members []*Member) {
	if len(members) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, m := range members {
		if p.config.slowStart > 0 && now-p.knownAt >= p.config.slowStart {
			m.warmFrom = now
			m.warn(warming)
			p.plan(now+p.config.slowStart, m, endWarming)
		}
		p.move(m, ready)
	}
	p.publish()
}
