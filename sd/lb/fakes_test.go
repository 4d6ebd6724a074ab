package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// A registry is an Instancer that hands out differences. It knows nothing until the first reset.
type registry struct {
	fn      func(sd.Change)
	stopped bool
}

func (r *registry) Follow(fn func(sd.Change)) func() {
	r.fn = fn
	return func() { r.stopped = true }
}
func (r *registry) Register(chan<- kitsd.Event)   { panic("the Pool does not follow") }
func (r *registry) Deregister(chan<- kitsd.Event) { panic("the Pool does not follow") }
func (r *registry) Stop()                         {}

func (r *registry) reset(instances ...string) { r.fn(sd.Change{Reset: true, Up: instances}) }
func (r *registry) up(instances ...string)    { r.fn(sd.Change{Up: instances}) }
func (r *registry) down(instances ...string)  { r.fn(sd.Change{Down: instances}) }
func (r *registry) withdraw(instances ...string) {
	r.fn(change(nil, instances, instances))
}

func change(up, down, withdrew []string) sd.Change {
	return sd.Change{Up: up, Down: down, Withdrew: withdrew}
}

// A plain registry knows no differences, like go-kit's. It holds a lock while it sends, like
// go-kit's.
type plain struct {
	mu       sync.Mutex
	ch       chan<- kitsd.Event
	last     kitsd.Event
	deregged bool
}

func (r *plain) Register(ch chan<- kitsd.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ch = ch
	ch <- r.last
}

func (r *plain) Deregister(chan<- kitsd.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deregged = true
}
func (r *plain) Stop() {}

func (r *plain) send(e kitsd.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.deregged {
		r.ch <- e
	}
}

// A server is what stands behind one instance.
type server struct {
	latency time.Duration
	serial  chan struct{} // capacity 1: one call at a time; nil: any number
	err     atomic.Pointer[error]
	calls   atomic.Int64
	running atomic.Int64
	made    atomic.Int64
	closed  atomic.Int64
}

// fail makes the server answer with err at once, or serve again if err is nil. Endless hangs until
// the deadline.
func (s *server) fail(err error) {
	if err == nil {
		s.err.Store(nil)
		return
	}
	s.err.Store(&err)
}

var (
	errEndless = fmt.Errorf("endless")
	errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	errReset   = fmt.Errorf("read: %w", syscall.ECONNRESET)
)

func (s *server) serve(ctx context.Context, request any) (any, error) {
	s.calls.Add(1)
	s.running.Add(1)
	defer s.running.Add(-1)
	if err := s.err.Load(); err != nil {
		if *err != errEndless {
			return nil, *err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s.serial != nil {
		select {
		case s.serial <- struct{}{}:
			defer func() { <-s.serial }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if s.latency > 0 {
		timer := time.NewTimer(s.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return request, nil
}

func (s *server) Close() error {
	if s.running.Load() > 0 {
		panic("closed under a call in flight")
	}
	s.closed.Add(1)
	return nil
}

// A fleet is a set of servers by instance. Its factory makes endpoints for these alone.
type fleet map[string]*server

func newFleet(n int) fleet {
	f := make(fleet)
	for _, name := range names(n) {
		f[name] = new(server)
	}
	return f
}

func (f fleet) factory(instance string) (kitendpoint.Endpoint, io.Closer, error) {
	s := f[instance]
	if s == nil {
		return nil, nil, fmt.Errorf("no server %q", instance)
	}
	s.made.Add(1)
	return s.serve, s, nil
}

func (f fleet) calls() map[string]int64 {
	calls := make(map[string]int64)
	for name, s := range f {
		calls[name] = s.calls.Load()
	}
	return calls
}

// since returns the calls that came after before was taken.
func (f fleet) since(before map[string]int64) map[string]int64 {
	calls := f.calls()
	maps.DeleteFunc(calls, func(name string, n int64) bool { return n == before[name] })
	for name := range calls {
		calls[name] -= before[name]
	}
	return calls
}

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&255, i&255)
	}
	return names
}

func nop(string) (kitendpoint.Endpoint, io.Closer, error) { return kitendpoint.Nop, nil, nil }

// newTestPool returns a pool of n members that do nothing, without a reserve.
func newTestPool(tb testing.TB, n int) (*Pool, *registry) {
	tb.Helper()
	r := new(registry)
	p := NewPool(r, nop, kitlog.NewNopLogger(), Reserve(0))
	tb.Cleanup(func() { p.Close() })
	r.reset(names(n)...)
	await(tb, func() bool { return p.snapshot.Load().Len() == n })
	return p, r
}

// moments notes when something happened.
type moments struct {
	mu sync.Mutex
	at []time.Time
}

func (m *moments) note() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = append(m.at, time.Now())
}

// gaps returns the times between.
func (m *moments) gaps() (gaps []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := 1; i < len(m.at); i++ {
		gaps = append(gaps, m.at[i].Sub(m.at[i-1]))
	}
	return gaps
}

// await waits for a condition outside synctest.
func await(tb testing.TB, condition func() bool) {
	tb.Helper()
	wait.For(tb, 10*time.Second, func() error {
		if !condition() {
			return errors.New("condition not reached")
		}
		return nil
	})
}

func nopLogger() kitlog.Logger { return kitlog.NewNopLogger() }
