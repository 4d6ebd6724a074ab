package lb

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
)

// An instance that leaves and returns while calls are in flight is the same member, also without a
// reserve.
func TestCallsInFlightOutliveAnAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		name := names(2)[0]
		f[name].latency = 10 * time.Second
		p, r := start(f, Reserve(0))
		go p.endpoint(p.members[name])(t.Context(), 1)
		synctest.Wait()
		want := func(what, state string, inFlight int, made, closed int64) {
			t.Helper()
			s := stat(p, name)
			want := fmt.Sprint(state, inFlight, " in flight, made ", made, ", closed ", closed)
			have := fmt.Sprint(s.State, s.InFlight, " in flight, made ", f[name].made.Load(), ", closed ",
				f[name].closed.Load())
			if want != have {
				t.Errorf("%s: want %s, have %s", what, want, have)
			}
		}
		r.down(name)
		synctest.Wait()
		want("gone", "gone", 1, 1, 0)
		r.up(name)
		synctest.Wait()
		want("back", "listed", 1, 1, 0)
		time.Sleep(11 * time.Second)
		want("answered", "listed", 0, 1, 0)
		r.down(name)
		synctest.Wait()
		want("gone for good", "gone", 0, 1, 1)
		r.up(name)
		synctest.Wait()
		want("back once more", "listed", 0, 2, 1)
		p.Close()
	})
}

// Members leave, return and are called at the same time: no endpoint is closed under a call, and
// each is closed once.
func TestRevivalUnderLoad(t *testing.T) {
	var mu sync.Mutex
	var made []*server // one for each endpoint; its Close panics while a call runs
	factory := func(string) (kitendpoint.Endpoint, io.Closer, error) {
		mu.Lock()
		defer mu.Unlock()
		s := new(server)
		made = append(made, s)
		return s.serve, s, nil
	}
	r := new(registry)
	p := NewPool(r, factory, kitlog.NewNopLogger(), Reserve(0))
	r.reset(names(4)...)
	wait.True(t, "the members wanted", func() bool { return p.snapshot.Load().Len() == 4 })
	call := Retry(p, NewRandom())
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 20_000 {
				call(t.Context(), 1)
			}
		})
	}
	for n := range 2_000 {
		name := names(4)[n%3]
		r.down(name)
		r.up(name)
	}
	callers.Wait()
	p.Close() // awaits every closer
	for n, s := range made {
		if closed := s.closed.Load(); closed != 1 {
			t.Errorf("endpoint %d of %d: want it closed once, have %d times", n, len(made), closed)
		}
	}
}

// One that comes back while an old call is in flight takes its share as gradually as any other.
func TestRevivedComesBackSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		name := names(5)[0]
		p, r := start(f, Reserve(0))
		defer p.Close()
		time.Sleep(time.Minute)
		f[name].latency = time.Hour
		go p.endpoint(p.members[name])(t.Context(), 1)
		synctest.Wait()
		f[name].latency = 0
		r.withdraw(name)
		r.up(name)
		synctest.Wait()
		if have := share(t, f, p, NewRandom(), name); have > 0.06 || f[name].made.Load() != 1 {
			t.Errorf("want the same member, and a share of 0.06 at most, have %v", have)
		}
	})
}
