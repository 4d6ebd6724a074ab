package moving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/zk"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

const (
	clientCount = 4
	batchCount  = 4                      // in which the servers are restarted
	drainTime   = 300 * time.Millisecond // that a server goes on serving after its withdrawal
	readyBound  = 3 * time.Second        // for a client that is to take the place of another
	agreeBound  = 60 * time.Second
	maxRush     = 100 * time.Millisecond
)

// A fleet is servers, and clients that call them at a steady rate.
type fleet struct {
	*testing.T
	instances []string
	servers   []*server
	clients   []*seat

	lateness *wait.Lateness // of the step under way

	mu     sync.Mutex
	steady map[string]bool // servers that no list may lose

	stop   context.CancelFunc
	load   sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
	why    atomic.Pointer[error]
}

// newFleet starts a fleet that is registered in one registry.
func newFleet(t *testing.T, url string) *fleet {
	t.Helper()
	f := &fleet{T: t, steady: map[string]bool{}, lateness: wait.StartLateness()}
	for _, instance := range transporttest.FreeAddresses(t, *serverCount) {
		f.instances = append(f.instances, instance)
		f.servers = append(f.servers, f.serve(instance, url))
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	for range clientCount {
		f.clients = append(f.clients, &seat{client: f.join(url)})
	}
	f.agree("0")
	for _, s := range f.clients {
		f.load.Go(func() { f.call(ctx, s) })
	}
	return f
}

func (f *fleet) close() {
	f.lateness.Stop()
	f.stop()
	f.load.Wait()
	f.mu.Lock()
	clear(f.steady)
	f.mu.Unlock()
	for _, s := range f.clients {
		s.client.close()
	}
	inParallel(f.servers, func(s *server) { s.close(0) })
}

// call makes requests until ctx is done, at the seat's part of the rate whatever becomes of those
// before, and waits for the last. What the machine was late for is made up for, up to 100 ms: more
// would be a rush that no user makes.
func (f *fleet) call(ctx context.Context, s *seat) {
	var calls sync.WaitGroup
	defer calls.Wait()
	interval := time.Second * clientCount / time.Duration(*rate)
	for due := time.Now(); ctx.Err() == nil; due = due.Add(interval) {
		time.Sleep(time.Until(due))
		if now := time.Now(); now.Sub(due) > maxRush {
			due = now
		}
		calls.Go(func() {
			f.asked.Add(1)
			if err := s.ask(); err != nil {
				f.failed.Add(1)
				f.why.CompareAndSwap(nil, &err)
			}
		})
	}
}

// restart returns a step: servers are restarted with other registries, a batch at a time.
func (f *fleet) restart(urls ...string) func(from, until float64) {
	return func(from, until float64) {
		size := max(len(f.servers)/batchCount, 1)
		low, high := int(from*float64(len(f.servers))), int(until*float64(len(f.servers)))
		for ; low < high; low += size {
			f.restartAll(f.servers[low:min(low+size, high)], urls)
		}
	}
}

// restartAll restarts a batch of servers, side by side.
func (f *fleet) restartAll(batch []*server, urls []string) {
	f.mu.Lock()
	for _, s := range batch {
		delete(f.steady, s.instance)
	}
	f.mu.Unlock()
	inParallel(batch, func(s *server) { s.close(drainTime) })
	inParallel(batch, func(s *server) { *s = *f.serve(s.instance, urls...) })
}

// replace returns a step: clients are replaced by others with other registries, one after the
// other, each once the other one is ready. One that is not, since its registry is down, is tried
// again at the end.
func (f *fleet) replace(urls ...string) func(from, until float64) {
	var left []*seat
	return func(from, until float64) {
		n := float64(len(f.clients))
		next := f.clients[int(from*n):int(until*n)]
		if until == 1 {
			next, left = slices.Concat(next, left), nil
		}
		for _, s := range next {
			c := f.join(urls...)
			if err := c.ready(); err == nil {
				s.replace(c)
				continue
			}
			c.close()
			left = append(left, s)
		}
	}
}

// agree returns when every client lists every server, which no list may lose from then on, and
// says what became of the requests.
func (f *fleet) agree(step string) {
	f.Helper()
	took := wait.For(f, agreeBound, func() error {
		for i, s := range f.clients {
			have := s.client.union.Instances()
			if want := slices.Sorted(slices.Values(f.instances)); !slices.Equal(want, have) {
				return fmt.Errorf("step %s: client %d: want %d servers, have %d: %v", step, i, len(want),
					len(have), s.client.union.State())
			}
		}
		return nil
	})
	f.mu.Lock()
	for _, instance := range f.instances {
		f.steady[instance] = true
	}
	f.mu.Unlock()
	late := f.lateness.Stop().Round(time.Millisecond)
	f.lateness = wait.StartLateness()
	f.Logf("step %-26s %6d requests, %d failed, agreed after %v, machine late by %v", step,
		f.asked.Load(), f.failed.Load(), took.Round(time.Millisecond), late)
	if n := f.failed.Load(); n > 0 {
		f.Fatalf("step %s: %d requests failed while the machine was late by %v, the first: %v", step,
			n, late, *f.why.Load())
	}
}

// wantListed fails the test unless a registry comes to list just want.
func (f *fleet) wantListed(url string, want ...string) {
	f.Helper()
	backend := open(f, url)
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
	defer instancer.Stop()
	slices.Sort(want)
	wait.For(f, agreeBound, func() error {
		if have := instancer.Instances(); have == nil || !slices.Equal(want, have) {
			return fmt.Errorf("%s: want %d listed, have %d: %v", url, len(want), len(have),
				instancer.State())
		}
		return nil
	})
}

// A server is registered in each of its registries.
type server struct {
	instance   string
	transport  *transport.Server
	served     chan error
	backends   []sd.Backend
	registrars []*sd.Registrar
}

// serve starts a server, and registers it.
func (f *fleet) serve(instance string, urls ...string) *server {
	s := &server{instance: instance, served: make(chan error, 1)}
	listener, err := transport.Listen(context.Background(), instance)
	if err != nil {
		panic(err) // not in the test's own goroutine
	}
	s.transport = transport.NewDaytimeServer(endpoint.New(service.New(instance)),
		kitlog.NewNopLogger())
	go func() { s.served <- s.transport.Serve(listener) }()
	for _, url := range urls {
		backend := open(f, url)
		registrar, err := sd.NewRegistrar(backend, instance, kitlog.NewNopLogger())
		if err != nil {
			panic(err)
		}
		s.backends, s.registrars = append(s.backends, backend), append(s.registrars, registrar)
	}
	inParallel(s.registrars, (*sd.Registrar).Register)
	return s
}

// close withdraws the server, serves on for a while, and ends it.
func (s *server) close(drain time.Duration) {
	inParallel(s.registrars, (*sd.Registrar).Deregister)
	time.Sleep(drain)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.transport.Shutdown(ctx); err != nil {
		panic(err)
	}
	if err := <-s.served; !errors.Is(err, transport.ErrServerClosed) {
		panic(err)
	}
	inParallel(s.backends, func(b sd.Backend) { b.Close() })
}

// A client follows its registries, and calls whom they list.
type client struct {
	backends []sd.Backend
	parts    []sd.Part
	union    *sd.Instancer
	pool     *lb.Pool
	ask      kitendpoint.Endpoint
	stop     func()
	calls    sync.WaitGroup // under way
}

// join returns a client.
func (f *fleet) join(urls ...string) *client {
	f.Helper()
	c := &client{}
	for _, url := range urls {
		backend := open(f, url)
		c.backends = append(c.backends, backend)
		c.parts = append(c.parts, sd.Part{Name: url,
			Instancer: sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())})
	}
	c.union = sd.Join(c.parts, kitlog.NewNopLogger())
	c.stop = c.union.Follow(f.judge)
	c.pool = lb.NewPool(c.union, transport.Factory(), kitlog.NewNopLogger())
	c.ask = lb.Retry(c.pool, lb.LeastLoaded{}, lb.Idempotent(), lb.Timeout(5*time.Second))
	return c
}

// ready waits for the client's list.
func (c *client) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyBound)
	defer cancel()
	return c.union.Await(ctx)
}

// judge fails the test when a list is without a server that it may not lose.
func (f *fleet) judge(c sd.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := map[string]bool{}
	if c.Reset {
		maps.Copy(lost, f.steady)
	}
	for _, name := range c.Up {
		delete(lost, name)
	}
	for _, name := range c.Down {
		if f.steady[name] {
			lost[name] = true
		}
	}
	if len(lost) > 0 {
		f.Errorf("want no list below the truth, have one without %v",
			slices.Sorted(maps.Keys(lost)))
	}
}

func (c *client) close() {
	c.calls.Wait()
	c.stop()
	c.pool.Close()
	c.union.Stop()
	inParallel(c.parts, func(p sd.Part) { p.Stop() })
	inParallel(c.backends, func(b sd.Backend) { b.Close() })
}

// A seat is the place of a client, which may be replaced while it is called.
type seat struct {
	mu     sync.Mutex
	client *client
}

func (s *seat) ask() error {
	s.mu.Lock()
	c := s.client
	c.calls.Add(1)
	s.mu.Unlock()
	defer c.calls.Done()
	_, err := c.ask(context.Background(), endpoint.DaytimeRequest{})
	return err
}

// replace seats another client, and ends the one before.
func (s *seat) replace(next *client) {
	s.mu.Lock()
	before := s.client
	s.client = next
	s.mu.Unlock()
	before.close()
}

// open opens a registry.
func open(t testing.TB, url string) sd.Backend {
	t.Helper()
	backend, err := sd.Schemes{"zk": zk.Open, "etcd": etcd.Open}.Open(url)
	if err != nil {
		panic(err)
	}
	return backend
}

// inParallel returns when f has returned for each.
func inParallel[T any](all []T, f func(T)) {
	var running sync.WaitGroup
	for _, one := range all {
		running.Go(func() { f(one) })
	}
	running.Wait()
}
