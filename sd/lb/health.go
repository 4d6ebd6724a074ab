package lb

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"syscall"
	"time"

	"example.com/daytime/sd/lb/internal/cause"
)

// maxFailures is how many failures in a row eject a member, unless one of them was refused.
const maxFailures = 3

// An evidence is the kind of failure that an attempt found in its member. The package comment has
// the table.
type evidence uint8

const (
	noEvidence  evidence = iota // the error may be the request's own, or this side's
	refused                     // nothing listens there
	unreachable                 // no connection, or one that ended without an answer
	silent                      // no answer to the end of the call
	outlived                    // its share passed, and another attempt answered in less time
	evidences                   // their number
)

// weigh returns the evidence that the end of an attempt with ctx gives.
func (a *attempt) weigh(ctx context.Context, err error, took int64) evidence {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(ctx.Err(), context.Canceled):
		if a.race != nil && a.race.isWon(took) && took >= int64(a.share) {
			return outlived
		}
		return noEvidence
	case ctx.Err() != nil, cause.IsTimeout(err):
		return silent
	case cause.IsUnreachable(err), cause.Unsent(err) && !cause.IsLocal(err):
		return unreachable
	default:
		return noEvidence
	}
}

// isOurs reports whether a failure that may be this side's says nothing about a's member: it is the
// first since its latest answer, or nobody has answered since the last one. So an outage of this
// side counts once at most, for a member that was not asked since the outage before. EADDRNOTAVAIL
// of a member that has answered says that this side has no port left, and not that it lacks the
// family.
func (p *Pool) isOurs(a *attempt, now int64, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := a.member
	answeredAt := m.answeredAt.Load()
	if errors.Is(err, syscall.EADDRNOTAVAIL) && answeredAt > 0 {
		return true
	}
	if m.failedAt > answeredAt && m.failedAt < a.route.answeredAt.Load() {
		return false
	}
	m.failedAt = now
	return true
}

// recordFailure takes in a failed attempt, if it is evidence.
func (p *Pool) recordFailure(a *attempt, e evidence, now int64, err error) {
	m, mayBeOurs := a.member, e == unreachable && cause.MayBeLocal(err)
	if e == noEvidence || mayBeOurs && p.isOurs(a, now, err) {
		return
	}
	m.failingSince.CompareAndSwap(0, max(a.start, 1))
	if (e == silent || e == outlived) && p.isExcused(a, e, now, err) {
		return
	}
	p.mu.Lock()
	lasting := m.countFailure(a, now)
	was := m.health
	var dropped []*Member
	switch {
	case m.presence == reserve && (e != outlived && !mayBeOurs || lasting):
		dropped = p.dropReserve(m, now, err)
	case m.health == ejected || m.presence != listed: // already, or it has left
	case (e == refused || lasting) && a.start >= m.ejectedUntil:
		p.eject(m, ejection{e, err}, now)
	default:
		p.setHealth(m, failing)
		m.probeAt = now + p.config.minEjection
		p.planProbe(m)
	}
	p.noteFailure(m, was, now, err)
	p.publish()
	p.mu.Unlock()
	closeMembers(dropped)
}

// isExcused reports whether silence says nothing about a's member.
//
// A member that has answered another call meanwhile, or as long before as the attempt took, is slow
// for some requests. What nobody answers is slow everywhere. And when the caller was impatient and
// gave the attempt less time than usual, only a member that has answered no call for a while is to
// blame, and only if the attempt had as much time as the latest answer took.
func (p *Pool) isExcused(a *attempt, e evidence, now int64, err error) bool {
	answeredAt := a.member.answeredAt.Load()
	if answeredAt > 0 && answeredAt > 2*a.start-now { // start, less the time that it took
		return true
	}
	since := a.member.failingSince.Load() // or 0: it has answered since this goroutine noted it
	if since == 0 || e == silent && !cause.Unsent(err) && a.isSlowEverywhere(answeredAt, now) {
		return true
	}
	brief := a.brief && e == silent || a.briefShare && e == outlived
	return brief && (now-since < p.config.minEjection || now-a.start < a.route.took.Load())
}

// isSlowEverywhere reports whether nothing says that another member would have answered: since the
// latest answer of a's member, or ever if it has given none, there has been none to a call through
// the same Retry; or none of those that were asked beside it did. The latter says nothing about a
// member that has never answered: of many that hang, those beside it are likely to.
func (a *attempt) isSlowEverywhere(answeredAt, now int64) bool {
	return a.route.answeredAt.Load() <= answeredAt ||
		answeredAt > 0 && a.race != nil && a.race.isUnanswered(now, a.route.took.Load())
}

// countFailure reports whether m has failed maxFailures times in a row. Attempts that run side by
// side fail side by side, for one reason: they count as one, unless there was an answer between. An
// answer that comes before the count takes failingSince back, so it is set again after it. The
// caller holds mu.
func (m *Member) countFailure(a *attempt, now int64) (lasting bool) {
	if a.start >= m.failedAt || m.failures.Load() == 0 {
		m.failures.Add(1)
		m.failedAt = now
	}
	m.failingSince.CompareAndSwap(0, max(a.start, 1))
	return m.failures.Load() >= maxFailures
}

// dropReserve discards a member that has failed in reserve. The caller holds mu, publishes, and
// closes the dropped.
func (p *Pool) dropReserve(m *Member, now int64, err error) (dropped []*Member) {
	if until := p.breaker.recordFailure(now, p.config.reserve); until > 0 {
		p.schedule(until, nil, endPause)
	}
	p.note(now, "msg", "dropped from the reserve", "instance", m.instance, "err", err)
	return p.discard([]*Member{m})
}

// setHealth is the only place that changes m's health. The latency is forgotten when failing begins
// or ends: while m fails, probes judge it, and afterwards its new answers. The caller holds mu, and
// publishes.
func (p *Pool) setHealth(m *Member, to health) {
	if (m.health == answering) != (to == answering) {
		m.latency.Forget()
		if m.health == answering {
			m.history.setAside.Add(1)
		}
	}
	m.health = to
	p.place(m)
}

// eject sets m aside for a time that doubles with each ejection in a row. The caller holds mu, and
// publishes.
func (p *Pool) eject(m *Member, why ejection, now int64) {
	ejectedFor := min(p.config.minEjection<<min(m.ejections, 10), p.config.maxEjection)
	ejectedFor -= rand.Int64N(ejectedFor/4 + 1) // so that clients do not all come back at once
	m.ejections = uint8(min(int(m.ejections)+1, math.MaxUint8))
	m.ejectedUntil = now + ejectedFor
	m.probeAt = m.ejectedUntil
	m.history.ejected.Add(1)
	m.history.ejection = &why
	p.meters.ejections[why.cause].add(1)
	p.setHealth(m, ejected)
	p.planProbe(m)
}

// planProbe makes m due for a probe, or sets a timer for that. The caller holds mu, and publishes.
func (p *Pool) planProbe(m *Member) {
	if m.presence != listed || m.health == answering || m.health == due {
		return
	}
	now := p.now()
	at := m.probeAt
	if at <= now {
		if m.calls.Load() == 0 {
			p.setHealth(m, due)
			return
		}
		// A call on it runs, and a probe does not begin beside it.
		at = now + max(p.config.minEjection, int64(time.Millisecond))
	}
	if m.probePlanned == 0 || at < m.probePlanned {
		m.probePlanned = at
		p.schedule(at, m, probe)
	}
}

// claimProbe begins a call on a member that is due for a probe. The next one is due when this has
// had time.
func (p *Pool) claimProbe(m *Member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := m.rank(); r != probing && r != drainedProbing || !m.begin() {
		return false
	}
	p.setHealth(m, failing)
	m.probeAt = p.now() + p.config.minEjection
	p.planProbe(m)
	p.publish()
	p.sinceProbe.Store(0)
	p.probes.Add(1) // until finish
	return true
}

// recordSuccess takes in an answer.
func (p *Pool) recordSuccess(m *Member, now int64) {
	m.answeredAt.Store(now)
	if p.breakerMoved.Load() {
		p.resetBreaker(m)
	}
	since := m.failingSince.Load()
	if since == 0 {
		return
	}
	m.failingSince.Store(0)
	if m.failures.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.failures.Store(0)
	m.ejections, m.ejectedUntil, m.history.ejection = 0, 0, nil
	if m.health == answering {
		return
	}
	alone := p.tiers[ready].n == 0 && (!m.drained || p.tiers[drained].n == 0)
	p.setHealth(m, answering)
	p.noteReturn(m, since, now)
	if alone && m.presence == listed {
		p.probeAll(now)
	}
	p.publish()
}

// probeAll makes all members that fail due for a probe: one has answered, and must not bear all
// calls until the others' times are over. The caller holds mu, and publishes.
func (p *Pool) probeAll(now int64) {
	for _, m := range p.members {
		if m.health == failing || m.health == ejected {
			m.probeAt = now
			p.planProbe(m)
		}
	}
}
