package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"time"
)

// blameMax is how many calls in a row may be reset or time out before the member is set aside. A refused one is
// certain: nobody listens there.
const blameMax = 3

// blame takes in a failed call on m that began at start. A failure by which m may be out of reach is the end for one in
// reserve; any other member is doubted, which leaves it one call at a time while there are others, and is set aside if
// that is certain, or lasts. A failure of another kind may be the request's own, and counts only when it lasts.
//
// A brief attempt had less time than attempts usually have. That it ran out says something only about a member that has
// answered nobody for a while.
func (p *Pool) blame(m *Member, start int64, err error, brief bool) {
	now := p.now()
	m.failingFrom.CompareAndSwap(0, max(start, 1))
	if brief && now-m.failingFrom.Load() < p.config.apartMin {
		return
	}
	row := m.failures.Add(1)
	m.probeAt.Store(now + p.config.apartMin)
	lost, certain := unreachable(err), errors.Is(err, syscall.ECONNREFUSED)

	p.mu.Lock()
	doubted := (lost || row >= blameMax) && p.doubt(m, true)
	dropped := lost && m.place == reserve
	var apart int64
	switch {
	case dropped:
		p.discard(m)
		if until := p.trust.failed(now, p.config.reserve); until > 0 {
			p.plan(until, nil, reopen)
		}
	case m.place == ready && (certain || lost && row >= blameMax) && start >= m.apartUntil && p.mayEject():
		apart = p.eject(m)
	}
	if doubted || dropped || apart > 0 {
		p.publish()
	}
	p.mu.Unlock()
	switch {
	case dropped:
		m.retire()
		p.logger.Log("msg", "dropped from the reserve", "instance", m.instance, "err", err)
	case apart > 0:
		p.logger.Log("msg", fmt.Sprintf("ejected for %v", time.Duration(apart).Round(time.Millisecond)), "instance", m.instance, "err", err)
	}
}

// doubt marks m as failing, or as not, and returns whether that is new. Its latency is forgotten: while m is failing
// probes judge it, which have to be made, and afterwards what it does then. The caller holds mu, and publishes.
func (p *Pool) doubt(m *Member, on bool) bool {
	change := 1
	switch {
	case m.warned(failing) == on:
		return false
	case on:
		m.warn(failing)
	default:
		m.clear(failing)
		change = -1
	}
	m.latency.forget()
	if m.place == ready {
		p.doubted += change
	}
	return true
}

// mayEject reports whether one more may be set aside. The caller holds mu.
func (p *Pool) mayEject() bool {
	n := p.shelves[aside].n
	return !crowded(n+1, n+p.shelves[ready].n)
}

// eject sets m aside. The caller holds mu, and publishes.
func (p *Pool) eject(m *Member) (apart int64) {
	apart = min(p.config.apartMin<<min(m.aparts, 10), p.config.apartMax)
	apart -= rand.Int64N(apart/4 + 1) // so that clients do not all come back at once
	m.aparts++
	m.apartUntil = p.now() + apart
	m.history.ejections.Add(1)
	p.move(m, aside)
	p.plan(m.apartUntil, m, endApart)
	return apart
}

// rejoin ends m's time apart, if that is over: its next call is the probe. The caller holds mu, and publishes.
func (p *Pool) rejoin(m *Member, now int64) {
	if m.place == aside && m.apartUntil <= now {
		m.probeAt.Store(0)
		p.move(m, ready)
	}
}

// claimProbe gives one caller in each interval the right to try a failing member, on which no call is under way.
func (m *Member) claimProbe(now, interval int64) bool {
	at := m.probeAt.Load()
	return at <= now && m.calls.Load() == 0 && m.probeAt.CompareAndSwap(at, now+interval)
}

// absolve takes in a success on m.
func (p *Pool) absolve(m *Member) {
	if p.wary.Load() {
		p.regain(m)
	}
	if m.failingFrom.Load() != 0 {
		m.failingFrom.Store(0)
	}
	if m.failures.Load() == 0 && !m.warned(failing) {
		return
	}
	m.failures.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	m.aparts, m.apartUntil = 0, 0
	p.doubt(m, false)
	if m.place == aside {
		p.move(m, ready)
	}
	p.publish()
}

// unreachable reports whether err says that the instance, or the way to it, is at fault. Other errors may be the
// request's own, and an instance is not set aside for those.
func unreachable(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		slices.ContainsFunc(unreachableErrnos(), func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// unreachableErrnos leaves out what happens on this side, such as EMFILE or ENETUNREACH.
func unreachableErrnos() []syscall.Errno {
	return []syscall.Errno{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ETIMEDOUT,
	}
}
