package lb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlb "github.com/go-kit/kit/sd/lb"
)

// looks is how many members a pick looks at before it takes one that there is something against.
const looks = 4

// pick returns a member outside tried with a call begun on it, which invoke ends, or nil. It prefers the members open in the
// snapshot, then those set aside, then the reserve: each only when all before it were tried.
func (p *Pool) pick(ctx context.Context, picker Picker, tried []*Member) *Member {
	for {
		s := p.snapshot.Load()
		m := p.choose(ctx, picker, s, tried)
		if m == nil {
			m = picker.Pick(ctx, s.only(s.aside), tried)
		}
		if m == nil {
			m = picker.Pick(ctx, s.only(s.reserve), tried)
		}
		if m == nil || m.begin() {
			return m
		}
		// m's endpoint was closed since s was published, so there is a newer snapshot without it.
	}
}

// choose is a pick among the open members. It passes over those that are to be spared, but looks at a few only.
func (p *Pool) choose(ctx context.Context, picker Picker, s *Snapshot, tried []*Member) *Member {
	first := picker.Pick(ctx, s, tried)
	if first == nil || first.caution.Load() == 0 {
		return first
	}
	m := first
	passed := slices.Clone(tried)
	for range looks {
		if m == nil || p.admits(m, picker) {
			break
		}
		passed = append(passed, m)
		m = picker.Pick(ctx, s, passed)
	}
	if m == nil {
		return first
	}
	return m
}

// admits says whether a member that there is something against may have this call. One that fails gets one
// call at a time, as a probe. One that is new gets a share that grows with its age, except from a Hash, whose keys
// would go to and fro.
func (p *Pool) admits(m *Member, picker Picker) bool {
	if m.warned(failing) {
		return m.claimProbe(p.now(), p.config.apartMin)
	}
	if _, sticky := picker.(Hash); sticky || !m.warned(warming) {
		return true
	}
	share := float64(p.now()-m.warmFrom) / float64(p.config.slowStart)
	return rand.Float64() < max(share, 0.1)
}

// invoke runs the call that pick has begun on m. Brief says that ctx gives it less time than calls usually have.
func (p *Pool) invoke(ctx context.Context, m *Member, request any, brief bool) (response any, err error) {
	start := p.now()
	m.history.requests.Add(1)
	err = errPanicked // what stands if the endpoint does not return
	defer func() { p.finish(ctx, m, start, err, brief) }()
	return m.serve(ctx, request)
}

// finish ends a call and draws the conclusions. A call that the caller gave up says nothing about the member but that
// it was not faster than this.
func (p *Pool) finish(ctx context.Context, m *Member, start int64, err error, brief bool) {
	now := p.now()
	latency := float64(now - start)
	switch {
	case err == nil:
		m.history.answered(now - start)
		p.absolve(m)
		m.latency.observe(now, latency)
	case errors.Is(ctx.Err(), context.Canceled):
		if !m.warned(failing) && latency > m.latency.value(now) {
			m.latency.observe(now, latency)
		}
	default:
		m.history.failures.Add(1)
		p.blame(m, start, err, brief && ctx.Err() != nil)
		if !m.warned(failing) {
			m.latency.fail(now, latency)
		}
	}
	m.end()
}

// endpoint returns m's endpoint for Endpoints.
func (p *Pool) endpoint(m *Member) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		if m.begin() {
			return p.invoke(ctx, m, request, false)
		}
		if p.snapshot.Load().closed {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("lb: %s has left: %w", m.instance, kitlb.ErrNoEndpoints)
	}
}

// picking returns an endpoint that picks.
func (p *Pool) picking(picker Picker) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		m := p.pick(ctx, picker, nil)
		if m == nil {
			return nil, p.snapshot.Load().empty()
		}
		return p.invoke(ctx, m, request, false)
	}
}
