package lb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

// A tally counts the calls to each instance, and notes the latest.
type tally struct {
	mu    sync.Mutex
	calls map[string]int
	last  map[string]time.Time
}

func (c *tally) factory(instance string) (kitendpoint.Endpoint, io.Closer, error) {
	return func(context.Context, any) (any, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls[instance]++
		c.last[instance] = time.Now()
		return instance, nil
	}, nil, nil
}

// take returns the counts, and begins anew.
func (c *tally) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.calls
	c.calls = map[string]int{}
	return taken
}

// steered returns a function that makes 200 calls to servers of registry, whose policy is followed, and
// counts them.
func steered(t *testing.T, registry *mem.Registry) (drive func() map[string]int) {
	backend := registry.Open()
	t.Cleanup(func() { backend.Close() })
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	t.Cleanup(instancer.Stop)
	counts := &tally{calls: map[string]int{}, last: map[string]time.Time{}}
	pool := lb.NewPool(instancer, counts.factory, kitlog.NewNopLogger())
	t.Cleanup(func() { pool.Close() })
	call := lb.Retry(pool, lb.NewRandom())
	return func() map[string]int {
		t.Helper()
		time.Sleep(200 * time.Millisecond)
		for range 200 {
			if _, err := call(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		return counts.take()
	}
}

// Who is in reserve, or is lost in the moment in which there are other sides, is on the side that the
// policy says, whichever number that has.
func TestReserveIsOnItsSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		name := func(i int) string { return fmt.Sprintf("192.0.2.%d:8897", i) }
		for i := range 8 {
			a := policy.Attributes{}
			if i > 1 {
				a.Tags = map[string]string{"version": "3", "rack": fmt.Sprint(i % 2)}
			}
			registry.PutEntry(name(i), a)
		}
		drive := steered(t, registry)
		want := func(when string, servers int) {
			t.Helper()
			if have := drive(); len(have) != servers {
				t.Errorf("%s: want calls to %d, have %v", when, servers, have)
			}
		}
		follow := func(lines ...string) {
			registry.SetPolicy(policy.Header + "\n" + strings.Join(lines, "\n") + "\n")
		}
		follow("share version=2 10%", "share version=3 0%")
		want("without a part", 2)
		for i := 2; i < 7; i++ {
			registry.Expire(name(i)) // the reserve is open, and of the side that has no part
		}
		want("lost", 2)
		registry.Fail(errors.New("down")) // so that one is lost and the policy another in one moment
		registry.Expire(name(7))
		follow("share version=3 0%")
		registry.Fail(nil)
		time.Sleep(time.Second)
		want("another side has gone", 2)
		follow("share rack=1 0%", "share version=2 10%")
		want("some are on another side", 5)
		follow("share version=2 10%")
		want("on the rest", 8)
		follow("share version=2 10%", "share version=3 0%")
		want("without a part again", 2)
		follow()
		want("no sides", 8)
	})
}

// A line holds for who is lost and in reserve as well, whichever came first. Who is drained by it
// does not count there.
func TestPolicyHoldsInReserve(t *testing.T) {
	for _, line := range []string{"drain 192.0.2.0/31", "withdraw version=2", "share version=2 0%",
		"weight zone=a 0"} {
		synctest.Test(t, func(t *testing.T) {
			registry := mem.NewRegistry()
			name := func(i int) string { return fmt.Sprintf("192.0.2.%d:8897", i) }
			for i := range 5 {
				a := policy.Attributes{Zone: "b"}
				if i < 2 {
					a = policy.Attributes{Zone: "a", Tags: map[string]string{"version": "2"}}
				}
				registry.PutEntry(name(i), a)
			}
			drive := steered(t, registry)
			drive()
			registry.Expire(name(0))
			registry.Expire(name(2))
			registry.Expire(name(3))
			if have := drive(); len(have) != 5 {
				t.Errorf("three of five are lost: want calls to all, have %v", have)
			}
			registry.Put(name(5)) // so that the Pool is told of the next two together
			synctest.Wait()
			registry.SetPolicy(policy.Header + "\n" + line + "\n")
			synctest.Wait()
			registry.Expire(name(1))
			if have := drive(); have[name(0)] > 0 || have[name(1)] > 0 || have[name(4)] == 0 {
				t.Errorf("%s: want calls to others alone, have %v", line, have)
			}
		})
	}
}

// An operator writes lines into a registry, and the calls go where these say.
func TestCallsFollowThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const servers, header = 20, policy.Header + "\n"
		registry := mem.NewRegistry()
		name := func(i int) string { return fmt.Sprintf("192.0.2.%d:8897", i+1) }
		for i := range servers {
			a := policy.Attributes{Zone: fmt.Sprint("z", i%2), Tags: map[string]string{"version": "1"}}
			if i == 0 {
				a.Tags = map[string]string{"version": "2"}
			}
			registry.PutEntry(name(i), a)
		}
		backend := registry.Open()
		defer backend.Close()
		instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
		defer instancer.Stop()
		counts := &tally{calls: map[string]int{}, last: map[string]time.Time{}}
		pool := lb.NewPool(instancer, counts.factory, kitlog.NewNopLogger())
		defer pool.Close()
		call := lb.Retry(pool, lb.NewRandom())
		drive := func(n int) map[string]int {
			t.Helper()
			for range n {
				if _, err := call(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			return counts.take()
		}
		drive(1000)

		drained := time.Now()
		registry.SetPolicy(header + "drain " + name(3) + "\n")
		drive(2000)
		if have := counts.last[name(3)].Sub(drained); have > 200*time.Millisecond {
			t.Errorf("drained: want the last call within 200 ms, have it after %v", have)
		}
		registry.Expire(name(3)) // lost, and back: drained all the same
		registry.PutEntry(name(3), policy.Attributes{})
		if have := drive(2000)[name(3)]; have > 0 {
			t.Errorf("drained, expired and back: want no call, have %d", have)
		}

		registry.SetPolicy(header + "share version=2 10%\nweight " + name(1) + " 1000\n")
		drive(12_000) // slow start of the one that was drained
		have := drive(20_000)
		for instance, want := range map[string]float64{
			name(0): 2000, name(1): 18000. * 1000 / 2800,
			name(2): 18000. * 100 / 2800, name(3): 18000. * 100 / 2800,
		} {
			if math.Abs(float64(have[instance])-want) > 4.5*math.Sqrt(want) {
				t.Errorf("%s: want %.0f calls, have %d", instance, want, have[instance])
			}
		}

		registry.SetPolicy("")
		local := lb.Retry(pool, lb.Local("z1", lb.NewRoundRobin()))
		time.Sleep(time.Second)
		for range 200 {
			local(t.Context(), nil)
		}
		if have := counts.take(); len(have) != servers/2-1 { // the one that came back has no zone
			t.Errorf("local: want calls to %d servers, have %v", servers/2-1, have)
		}
	})
}
