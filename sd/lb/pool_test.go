package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

// openMembers returns the instances open to a pick, sorted.
func openMembers(p *Pool) []string {
	s := p.snapshot.Load()
	instances := []string{}
	for i := range s.Len() {
		instances = append(instances, s.At(i).Instance())
	}
	slices.Sort(instances)
	return instances
}

func wantListed(t *testing.T, p *Pool, want ...string) {
	t.Helper()
	synctest.Wait()
	if have := openMembers(p); !slices.Equal(want, have) {
		t.Fatalf("listed: want %q, have %q", want, have)
	}
}

// ask makes n calls and wants every one answered.
func ask(t *testing.T, call kitendpoint.Endpoint, n int) {
	t.Helper()
	for i := range n {
		if response, err := call(t.Context(), i); err != nil || response != i {
			t.Fatalf("call %d: want it back, have %v, %v", i, response, err)
		}
	}
}

func stat(p *Pool, instance string) Stat {
	for _, s := range p.Stats() {
		if s.Instance == instance {
			return s
		}
	}
	return Stat{}
}

func TestDifferencesAndWholeSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet{"a": {}, "b": {}, "c": {}, "d": {}}
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		wantListed(t, p)
		r.reset("a", "b", "a")
		wantListed(t, p, "a", "b")
		r.up("c", "b")
		wantListed(t, p, "a", "b", "c")
		r.down("a", "unheard of")
		wantListed(t, p, "b", "c")
		r.reset("c", "d")
		wantListed(t, p, "c", "d")
		r.reset()
		wantListed(t, p)
		for name, s := range f {
			if s.made.Load() != 1 || s.closed.Load() != 1 {
				t.Errorf("%s: want one endpoint, closed once; have %d, %d",
					name, s.made.Load(), s.closed.Load())
			}
		}
	})
}

func TestGoKitInstancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &plain{last: kitsd.Event{Instances: []string{"b", "a", "b"}}}
		p := NewPool(r, nop, kitlog.NewNopLogger(), Reserve(0))
		wantListed(t, p, "a", "b")
		r.send(kitsd.Event{Err: io.ErrUnexpectedEOF})
		wantListed(t, p, "a", "b")
		r.send(kitsd.Event{Instances: []string{"b", "c"}})
		wantListed(t, p, "b", "c")
		if want, have := []string{"b", "a", "b"}, r.last.Instances; !slices.Equal(want, have) {
			t.Errorf("the instancer's own slice was changed: want %q, have %q", want, have)
		}
		p.Close()
		if !r.deregged {
			t.Error("want the channel deregistered by Close")
		}
	})
}

// An instancer that blocks in a send to the Pool, its lock held, must not block Close, which wants
// the same lock.
func TestCloseWhileInstancerSends(t *testing.T) {
	r := new(plain)
	p := NewPool(r, nop, kitlog.NewNopLogger())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 1000 {
			r.send(kitsd.Event{Instances: []string{"a"}})
		}
	}()
	p.Close()
	<-sent
}

func TestGoKitOnTop(t *testing.T) {
	f := newFleet(3)
	p := NewPool(kitsd.FixedInstancer(names(3)), f.factory, kitlog.NewNopLogger())
	defer p.Close()
	wait.True(t, "the members wanted", func() bool { return len(openMembers(p)) == 3 })
	ask(t, kitlb.Retry(3, time.Second, p.Balancer(NewRoundRobin())), 30)
	ask(t, kitlb.Retry(3, time.Second, kitlb.NewRoundRobin(p)), 30)
	for name, s := range f {
		if want, have := int64(20), s.calls.Load(); want != have {
			t.Errorf("%s: want %d calls, have %d", name, want, have)
		}
	}
}

func TestEndpointsAreSortedAndOutliveTheirMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(registry)
		echo := func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
			return func(context.Context, any) (any, error) { return instance, nil }, nil, nil
		}
		p := NewPool(r, echo, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		r.reset("c", "a", "b")
		synctest.Wait()
		endpoints, err := p.Endpoints()
		if err != nil || len(endpoints) != 3 {
			t.Fatalf("want 3 endpoints, have %d, %v", len(endpoints), err)
		}
		for i, want := range []string{"a", "b", "c"} {
			if have, err := endpoints[i](t.Context(), nil); err != nil || have != want {
				t.Errorf("endpoint %d: want %s, have %v, %v", i, want, have, err)
			}
		}
		r.down("a")
		synctest.Wait()
		if _, err := endpoints[0](t.Context(), nil); !errors.Is(err, kitlb.ErrNoEndpoints) {
			t.Errorf("after a left: want ErrNoEndpoints, have %v", err)
		}
	})
}

func TestBalancerWithoutMembers(t *testing.T) {
	r := new(registry)
	p := NewPool(r, nop, kitlog.NewNopLogger())
	b := p.Balancer(NewRandom())
	if _, err := b.Endpoint(); err != kitlb.ErrNoEndpoints {
		t.Errorf("want %v, have %v", kitlb.ErrNoEndpoints, err)
	}
	if endpoints, err := p.Endpoints(); len(endpoints) != 0 || err != nil {
		t.Errorf("want no endpoints and no error, have %d, %v", len(endpoints), err)
	}
	p.Close()
	p.Close()
	if _, err := b.Endpoint(); err != ErrClosed {
		t.Errorf("want %v, have %v", ErrClosed, err)
	}
	if _, err := p.Endpoints(); err != ErrClosed {
		t.Errorf("want %v, have %v", ErrClosed, err)
	}
	if !r.stopped {
		t.Error("want the subscription stopped by Close")
	}
}

func TestRemovedEndpointIsClosedAfterItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{latency: 10 * time.Second}
		r := new(registry)
		p := NewPool(r, fleet{"a": s}.factory, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		r.reset("a")
		synctest.Wait()
		go p.picking(NewRandom())(t.Context(), 1)
		time.Sleep(time.Second)
		r.down("a")
		time.Sleep(8 * time.Second)
		if s.closed.Load() != 0 {
			t.Error("closed under a call")
		}
		time.Sleep(2 * time.Second)
		if want, have := int64(1), s.closed.Load(); want != have {
			t.Errorf("closed: want %d, have %d", want, have)
		}
	})
}

func TestCloseAwaitsCallsAndClosers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		for _, s := range f {
			s.latency = time.Second
		}
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger())
		r.reset(names(3)...)
		synctest.Wait()
		call := p.picking(NewRoundRobin())
		for range 6 {
			go call(t.Context(), 1)
		}
		synctest.Wait()
		start := time.Now()
		p.Close()
		if want, have := time.Second, time.Since(start); want != have {
			t.Errorf("Close: want %v, have %v", want, have)
		}
		for name, s := range f {
			if want, have := int64(1), s.closed.Load(); want != have {
				t.Errorf("%s closed: want %d, have %d", name, want, have)
			}
		}
		if _, err := call(t.Context(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("a call after Close: want %v, have %v", ErrClosed, err)
		}
	})
}

func ExamplePool() {
	factory := func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		return func(_ context.Context, request any) (any, error) {
			return fmt.Sprintf("%s answers %v", instance, request), nil
		}, nil, nil
	}
	pool := NewPool(kitsd.FixedInstancer{"10.0.0.1:8897"}, factory, kitlog.NewNopLogger())
	defer pool.Close()

	call := Retry(pool, NewLeastLoaded(), Timeout(time.Second))
	response, err := call(context.Background(), "hello")
	fmt.Println(response, err)
	// Output: 10.0.0.1:8897 answers hello <nil>
}
