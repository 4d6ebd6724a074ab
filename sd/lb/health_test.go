package lb

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// ends has an attempt on m end that began at start.
func ends(p *Pool, m *Member, start int64, err error) {
	m.begin()
	p.finish(context.Background(), &attempt{member: m, start: start}, err)
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
