package lb

import (
	"math"
	"slices"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

const (
	minRebuild = int64(100 * time.Millisecond)
	maxRebuild = int64(30 * time.Second)
	// maxUnpublished is how long endpoints that are made stay unpublished while others are made.
	maxUnpublished = 10 * time.Millisecond
)

// apply takes a change in. Only run calls it.
func (p *Pool) apply(c sd.Change) {
	p.mu.Lock()
	now := p.now()
	if !p.known {
		p.known, p.knownAt = true, now
	}
	if c.Reset {
		p.set++
	}
	if c.Reset || c.Sides != nil {
		p.sides, p.changed = slices.Clone(c.Sides), true
	}
	added := p.add(c.Up, c.Effective)
	dropped := append(p.change(c.Effective), p.discard(p.find(c.Withdrew))...)
	left := p.find(c.Down)
	if c.Reset {
		left = p.unseen()
	}
	dropped = append(dropped, p.remove(left, now)...)
	p.separateZones()
	p.publish()
	p.mu.Unlock()
	closeMembers(dropped)
	p.buildEndpoints(added)
	p.begun.Set()
}

// change takes over the attributes of members that have others now, also of those that are, or were,
// lost. It discards who is in reserve and drained, and returns them. The caller holds mu, publishes,
// and closes them after that.
func (p *Pool) change(effective map[string]policy.Effective) (discarded []*Member) {
	var lost []*Member
	for instance, e := range effective {
		m := p.members[instance]
		if m == nil {
			continue
		}
		p.setEffective(m, e)
		if m.drained && m.presence == reserve {
			lost = append(lost, m)
		}
	}
	return p.discard(lost)
}

// add marks instances as listed, takes those in reserve back, and returns new members for those
// that it does not know, in the order of buildOrder. An instance listed twice is one member. The
// caller holds mu.
func (p *Pool) add(instances []string, effective map[string]policy.Effective) (added []*Member) {
	for _, instance := range instances {
		e, ok := effective[instance]
		if !ok {
			e = policy.Effective{Weight: policy.DefaultWeight}
		}
		m := p.members[instance]
		if m != nil {
			p.setEffective(m, e)
		}
		switch {
		case m == nil:
			m = p.restore(instance)
			p.members[instance] = m
			p.setEffective(m, e)
			if m.serve == nil {
				added = append(added, m)
			} else {
				p.list(m, p.now())
			}
		case m.presence == reserve:
			p.setPresence(m, listed)
			p.planProbe(m)
		}
		m.seen = p.set
	}
	if slices.ContainsFunc(added, func(m *Member) bool { return m.buildOrder() > 0 }) {
		slices.SortStableFunc(added, func(a, b *Member) int { return a.buildOrder() - b.buildOrder() })
	}
	return added
}

// buildOrder says when a new member gets its endpoint, the least first: the first calls go to those
// that have one. The caller holds the Pool's lock.
func (m *Member) buildOrder() int {
	switch {
	case m.drained:
		return 2
	case m.Weight() == 0:
		return 1
	}
	return 0
}

// find returns the members of instances, as far as there are any. The caller holds mu.
func (p *Pool) find(instances []string) (members []*Member) {
	for _, instance := range instances {
		if m := p.members[instance]; m != nil {
			members = append(members, m)
		}
	}
	return members
}

// unseen returns the listed members that the latest whole set lacks. The caller holds mu.
func (p *Pool) unseen() (left []*Member) {
	for _, m := range p.members {
		if m.seen != p.set && m.presence != reserve {
			left = append(left, m)
		}
	}
	return left
}

// remove moves members that were lost into the reserve, and returns those that do not go there. The
// caller holds mu, publishes, and closes them after that.
func (p *Pool) remove(lost []*Member, now int64) (dropped []*Member) {
	for _, m := range lost {
		switch {
		case m.presence == reserve || p.members[m.instance] != m: // named twice
		case m.presence == pending || m.drained || p.config.reserve == 0:
			dropped = append(dropped, p.discard([]*Member{m})...)
		default:
			m.lostAt = now
			p.setPresence(m, reserve)
			p.schedule(now+p.config.reserve, m, endReserve)
		}
	}
	return dropped
}

// discard takes members out of the Pool and returns them. One that is named twice is returned once.
// The caller holds mu, publishes, and closes them after that.
func (p *Pool) discard(members []*Member) (discarded []*Member) {
	for _, m := range members {
		if p.members[m.instance] != m {
			continue
		}
		p.setPresence(m, gone)
		delete(p.members, m.instance)
		p.save(m)
		delete(p.merged, m)
		discarded = append(discarded, m)
	}
	return discarded
}

func closeMembers(members []*Member) {
	for _, m := range members {
		m.close()
	}
}

// buildEndpoints calls the factory for each of members and publishes them as they come. Only run
// calls it.
func (p *Pool) buildEndpoints(members []*Member) {
	published := time.Now()
	var built []*Member
	for i, m := range members {
		if p.build(m) {
			built = append(built, m)
		}
		if i == len(members)-1 || time.Since(published) > maxUnpublished {
			p.open(built)
			built, published = built[:0], time.Now()
		}
	}
}

// build gives m its endpoint, or schedules another try.
func (p *Pool) build(m *Member) bool {
	serve, closer, err := p.factory(m.instance)
	if err == nil && serve == nil {
		err = errNoEndpoint
	}
	if err == nil {
		m.serve, m.closer, m.closed = serve, closer, p.endpoints.Done
		p.endpoints.Add(1)
		return true
	}
	wait := min(minRebuild<<min(m.builds, 10), maxRebuild)
	m.builds = min(m.builds, math.MaxUint16-1) + 1
	p.logger.Log("msg", "no endpoint, trying again", "instance", m.instance, "err", err,
		"attempt", m.builds)
	p.mu.Lock()
	p.schedule(p.now()+wait, m, rebuild)
	p.mu.Unlock()
	return false
}

// open lists members, which have their endpoints, and opens them to picks.
func (p *Pool) open(members []*Member) {
	if len(members) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, m := range members {
		p.list(m, now)
	}
	p.publish()
	p.begun.Set()
}

// list opens a new member to picks. The first set is warm. The caller holds mu, and publishes.
func (p *Pool) list(m *Member, now int64) {
	if now-p.knownAt >= p.config.slowStart {
		p.warmUp(m, now)
	}
	p.setPresence(m, listed)
	p.planProbe(m)
}

// warmUp begins m's slow start. The caller holds mu.
func (p *Pool) warmUp(m *Member, now int64) {
	if p.config.slowStart == 0 {
		return
	}
	m.warmFrom.Store(now)
	m.warming.Store(true)
	p.schedule(now+p.config.slowStart, m, endWarming)
}
