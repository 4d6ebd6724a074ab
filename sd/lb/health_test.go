package lb

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
)

// ends has an attempt on m end that began at start.
func ends(p *Pool, m *Member, start int64, err error) {
	m.begin()
	p.finish(context.Background(), &attempt{member: m, start: start, route: &p.route}, err)
}

// wantHealed has m answer once more, after which nothing is to speak against it.
func wantHealed(t *testing.T, p *Pool, m *Member) (ok bool) {
	t.Helper()
	ends(p, m, p.now(), nil)
	if m.health != answering || m.failures.Load() > 0 {
		t.Errorf("after an answer: want it answering, have health %d, %d failures",
			m.health, m.failures.Load())
		return false
	}
	return true
}

// In whatever order attempts end that run side by side, an answer after them ends the doubt.
func TestAnAnswerHealsAfterAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(newFleet(2))
		defer p.Close()
		m := p.members[names(2)[0]]
		outcomes := []error{nil, errReset, errRefused}
		const kinds, n = 6, 4 // a kind is an outcome, and whether the attempt began late
		for order := range kinds * kinds * kinds * kinds {
			time.Sleep(time.Minute)
			begun, left := p.now(), order
			for range n {
				time.Sleep(time.Millisecond)
				kind := left % kinds
				left /= kinds
				since := begun
				if kind >= 3 {
					since = p.now()
				}
				time.Sleep(time.Millisecond)
				ends(p, m, since, outcomes[kind%3])
			}
			time.Sleep(time.Millisecond)
			if !wantHealed(t, p, m) {
				t.Fatalf("order %d", order)
			}
		}
	})
}

// An answer comes while a failure waits for the lock.
func TestAnAnswerHealsThatCameBesideAFailure(t *testing.T) {
	p, _ := newTestPool(t, 2)
	m := p.members[names(2)[0]]
	var failure sync.WaitGroup
	p.mu.Lock()
	failure.Go(func() { ends(p, m, p.now(), errReset) })
	wait.True(t, "the failure noticed", func() bool { return m.failingSince.Load() != 0 })
	ends(p, m, p.now(), nil)
	p.mu.Unlock()
	failure.Wait()
	wantHealed(t, p, m)
}

func TestAnAnswerHealsAfterManyAtOnce(t *testing.T) {
	p, _ := newTestPool(t, 2)
	m := p.members[names(2)[0]]
	for range 2000 {
		var attempts sync.WaitGroup
		for i := range 6 {
			attempts.Go(func() {
				ends(p, m, p.now(), []error{nil, errReset, errRefused}[i%3])
			})
		}
		attempts.Wait()
		if !wantHealed(t, p, m) {
			break
		}
	}
}

// A member leaves after an answer was given and before it was taken in: its return is not for good
// in doubt.
func TestAnAnswerHealsWhoReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		name := names(2)[0]
		p, r := start(f, Reserve(0))
		defer p.Close()
		f[name].fail(errReset)
		hit(t, p, name, 1)
		p.members[name].failingSince.Store(0) // as recordSuccess does before it has the lock
		r.down(name)
		r.up(name)
		synctest.Wait()
		time.Sleep(time.Second)
		wantHealed(t, p, p.members[name])
	})
}

// Callers without a Retry whose deadlines are a stranger's: while servers answer whoever waits for
// them, however rarely, nobody is set aside; one that hangs is.
func TestDeadlinesOfStrangersAccuseNobody(t *testing.T) {
	for _, every := range []time.Duration{50 * time.Millisecond, 5 * time.Second} {
		for what, through := range map[string]func(*Pool) kitendpoint.Endpoint{
			"picks": func(p *Pool) kitendpoint.Endpoint { return p.picking(NewRandom()) },
			"endpoints": func(p *Pool) kitendpoint.Endpoint {
				return func(ctx context.Context, request any) (any, error) {
					endpoints, _ := p.Endpoints()
					return endpoints[rand.N(len(endpoints))](ctx, request)
				}
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(4)
				for _, s := range f {
					s.latency = 5 * time.Millisecond
				}
				p, _ := start(f)
				defer p.Close()
				call := through(p)
				drive(t.Context(), call, 20, time.Millisecond).wantNoFailure(t)
				ctx, cancel := context.WithCancel(t.Context())
				go drive(ctx, withPatience(time.Millisecond, call), 12_000, 5*time.Millisecond)
				drive(t.Context(), call, int(time.Minute/every), every).wantNoFailure(t)
				for _, s := range p.Stats() {
					if s.SetAside > 0 {
						t.Errorf("%s, a call each %v: want nobody set aside, have %+v", what, every, s)
					}
				}
				cancel()
				hung := names(4)[0]
				f[hung].fail(errEndless)
				drive(t.Context(), withPatience(500*time.Millisecond, call), 600, 10*time.Millisecond)
				if stat(p, hung).SetAside == 0 {
					t.Errorf("%s: want the hung server set aside, have %+v", what, stat(p, hung))
				}
			})
		}
	}
}
