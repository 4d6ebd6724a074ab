package lb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/lb/internal/cause"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlb "github.com/go-kit/kit/sd/lb"
)

// An attempt is a call on one member.
type attempt struct {
	member *Member
	start  int64  // on the Pool's clock
	probe  bool   // of a member known to fail: it is not cancelled when another answers first
	try    int    // its index in the recorder
	race   *race  // nil if the attempts of its call follow one another
	route  *route // the Retry's, or the Pool's

	// share is the time after which another attempt begins beside this one; 0 if none does.
	share time.Duration
	// brief and briefShare say that the attempt, or its share, has less time than is usual, because
	// the caller is impatient. Without a Retry nobody knows what is usual, and it is brief.
	brief, briefShare bool
}

// A route is what is known of the calls through one Retry, which are often of one kind, or of all
// that are made without one.
type route struct {
	answeredAt atomic.Int64 // when the latest answer came, on the Pool's clock
	took       atomic.Int64 // and after how long
}

// invoke makes the attempt, on whose member a call has been begun, and draws the conclusions.
func (p *Pool) invoke(ctx context.Context, a attempt, request any) (response any, err error) {
	a.start = p.now()
	a.member.history.requests.Add(1)
	err = errPanicked // if the endpoint does not return
	defer func() { p.finish(ctx, &a, err) }()
	return a.member.serve(ctx, request)
}

// finish ends an attempt.
func (p *Pool) finish(ctx context.Context, a *attempt, err error) {
	m, now := a.member, p.now()
	took := now - a.start
	if a.probe {
		p.probes.Add(-1)
	}
	switch {
	case err == nil:
		p.meters.attempts[outcomeAnswered].add(1)
		m.history.recordAnswer(took)
		p.recordSuccess(m, now)
		a.route.answeredAt.Store(now)
		a.route.took.Store(took)
		m.latency.Observe(now, float64(took))
	case errors.Is(ctx.Err(), context.Canceled):
		e := a.weigh(ctx, err, took)
		p.meters.attempts[cmp.Or(e, outcomeCancelled)].add(1)
		if e == outlived {
			m.history.outlived.Add(1)
			err = &outlivedError{time.Duration(took), err}
		}
		if m.failures.Load() == 0 && float64(took) > m.latency.Value(now) {
			m.latency.Observe(now, float64(took)) // an answer would have taken longer
		}
		p.recordFailure(a, e, now, err)
	default:
		e := a.weigh(ctx, err, took)
		p.meters.attempts[e].add(1)
		m.history.failures.Add(1)
		p.recordFailure(a, e, now, err)
		if m.failures.Load() == 0 {
			m.latency.Fail(now, float64(took))
		}
	}
	m.end()
}

// endpoint returns m's endpoint for Endpoints.
func (p *Pool) endpoint(m *Member) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		if m.begin() {
			return p.invoke(ctx, attempt{member: m, route: &p.route, brief: true}, request)
		}
		if p.snapshot.Load().closed {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("lb: %s has left: %w", m.instance, kitlb.ErrNoEndpoints)
	}
}

// picking returns an endpoint that picks. A probe after which the call may be made again goes on to
// another member: who picked did not ask for one that is known to fail.
func (p *Pool) picking(picker Picker) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		m, probe := p.pickFirst(ctx, picker)
		if m == nil {
			return nil, p.snapshot.Load().empty()
		}
		a := attempt{member: m, probe: probe, route: &p.route, brief: true}
		response, err := p.invoke(ctx, a, request)
		if probe && err != nil && cause.Unsent(err) && ctx.Err() == nil {
			tried := []*Member{m}
			if m := p.pick(ctx, picker, tried, tried); m != nil {
				return p.invoke(ctx, attempt{member: m, route: &p.route, brief: true}, request)
			}
		}
		return response, err
	}
}
