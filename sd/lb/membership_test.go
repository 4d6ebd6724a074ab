package lb

import (
	"errors"
	"io"
	"maps"
	"math/rand"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
)

func TestFactoryIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked moments
		var works atomic.Bool
		factory := func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
			if instance == "b" {
				asked.note()
				if !works.Load() {
					return nil, nil, errors.New("no")
				}
			}
			return kitendpoint.Nop, nil, nil
		}
		r := new(registry)
		p := NewPool(r, factory, kitlog.NewNopLogger())
		defer p.Close()
		r.reset("a", "b", "c")
		wantListed(t, p, "a", "c")
		if want, have := "pending", stat(p, "b").State; want != have {
			t.Errorf("state: want %s, have %s", want, have)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if want, have := []time.Duration{100e6, 200e6, 400e6}, asked.gaps(); !slices.Equal(want, have) {
			t.Errorf("between asking: want %v, have %v", want, have)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		gaps := asked.gaps()
		if want, have := 30*time.Second, gaps[len(gaps)-1]; want != have {
			t.Errorf("between late tries: want %v, have %v", want, have)
		}
		works.Store(true)
		time.Sleep(30 * time.Second)
		wantListed(t, p, "a", "b", "c")
	})
}

func TestFactoryIsNotAskedForWhatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		r := new(registry)
		p := NewPool(r, func(string) (kitendpoint.Endpoint, io.Closer, error) {
			asked.Add(1)
			return nil, nil, errors.New("no")
		}, kitlog.NewNopLogger())
		defer p.Close()
		r.reset("a")
		synctest.Wait()
		r.down("a")
		time.Sleep(time.Hour)
		if want, have := int64(1), asked.Load(); want != have {
			t.Errorf("want %d, have %d", want, have)
		}
	})
}

// A slow factory holds back neither what it has made nor what is made beside it.
func TestSlowFactoryPublishesWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(registry)
		p := NewPool(r, func(string) (kitendpoint.Endpoint, io.Closer, error) {
			time.Sleep(time.Second)
			return kitendpoint.Nop, nil, nil
		}, kitlog.NewNopLogger())
		defer p.Close()
		go r.reset("a", "b", "c")
		time.Sleep(1500 * time.Millisecond)
		wantListed(t, p, "a")
		time.Sleep(time.Second)
		wantListed(t, p, "a", "b")
	})
}

// What is known about an instance survives its absence: as the same member out of the reserve, as
// its history after that.
func TestCountersSurviveMembershipChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{latency: time.Second}
		r := new(registry)
		p := NewPool(r, fleet{"a": s}.factory, kitlog.NewNopLogger())
		defer p.Close()
		r.reset("a")
		synctest.Wait()
		go p.picking(NewEWMA())(t.Context(), 1)
		synctest.Wait()
		r.reset()
		r.reset("a")
		synctest.Wait()
		if want, have := 1, stat(p, "a").InFlight; want != have {
			t.Errorf("in flight: want %d, have %d", want, have)
		}
		time.Sleep(2 * time.Second)
		before, _ := p.snapshot.Load().At(0).latency.Stored()
		r.reset()
		time.Sleep(time.Minute)
		synctest.Wait()
		if want, have := "gone", stat(p, "a").State; want != have {
			t.Errorf("state: want %s, have %s", want, have)
		}
		r.reset("a")
		synctest.Wait()
		want := Stat{Instance: "a", State: "listed", Requests: 1, Mean: time.Second, Max: time.Second,
			Warming: true, Until: time.Now().Add(10 * time.Second)}
		if have := stat(p, "a"); want != have {
			t.Errorf("want %+v, have %+v", want, have)
		}
		if after, heard := p.snapshot.Load().At(0).latency.Stored(); !heard || before != after {
			t.Errorf("latency: want %v, have %v", before, after)
		}
		if want, have := int64(2), s.made.Load(); want != have {
			t.Errorf("endpoints: want %d, have %d", want, have)
		}
	})
}

func TestWhatIsKeptOfThePastIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(registry)
		all := names(2 * maxPast)
		p := NewPool(r, newFleet(len(all)).factory, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		r.reset(all...)
		synctest.Wait()
		ask(t, p.picking(NewRoundRobin()), len(all))
		r.reset()
		synctest.Wait()
		if want, have := maxPast, len(p.Stats()); want != have {
			t.Errorf("want %d, have %d", want, have)
		}
	})
}

// TestAgainstModel drives a Pool through random changes, and compares it with a map after each.
func TestAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewSource(1))
		all := names(3 * span)
		r := new(registry)
		p := NewPool(r, nop, kitlog.NewNopLogger(), Reserve(0))
		defer p.Close()
		want := make(map[string]bool)
		type held struct {
			snapshot  *Snapshot
			instances []string
		}
		var old []held
		for range 300 {
			some := make([]string, random.Intn(span/2))
			for i := range some {
				some[i] = all[random.Intn(len(all))]
			}
			switch random.Intn(8) {
			case 0:
				r.reset(some...)
				clear(want)
				fallthrough
			case 1, 2, 3, 4:
				r.up(some...)
				for _, name := range some {
					want[name] = true
				}
			default:
				r.down(some...)
				for _, name := range some {
					delete(want, name)
				}
			}
			sorted := slices.Sorted(maps.Keys(want))
			wantListed(t, p, sorted...)
			old = append(old, held{p.snapshot.Load(), sorted})
		}
		for i, h := range old {
			var have []string
			for c, n := range h.snapshot.runs {
				for j, m := range c.members[:n] {
					have = append(have, m.instance)
					if hashString(m.instance) != c.hashes[j] {
						t.Fatalf("snapshot %d: the hash beside %s is not its own", i, m.instance)
					}
				}
			}
			slices.Sort(have)
			if !slices.Equal(h.instances, have) {
				t.Fatalf("snapshot %d has changed since it was published", i)
			}
		}
	})
}

func TestOneChangeCopiesOneChunk(t *testing.T) {
	p, r := newTestPool(t, 20*span)
	before := p.snapshot.Load()
	r.down(names(20 * span)[7])
	wait.True(t, "the members wanted", func() bool { return p.snapshot.Load().Len() == 20*span-1 })
	copied := 0
	for i, c := range p.snapshot.Load().lists[0].chunks {
		if before.lists[0].chunks[i] != c {
			copied++
		}
	}
	if copied > 2 { // the one it stood in, and the last one, whose end took its place
		t.Errorf("want at most 2 of 20 chunks copied, have %d", copied)
	}
}

// A difference that names somebody twice ends the endpoint once.
func TestLeavingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(1)
		name := names(1)[0]
		f[name].latency = time.Second
		p, r := start(f, Reserve(0))
		go p.picking(NewRandom())(t.Context(), 1)
		synctest.Wait()
		r.down(name, name)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want, have := int64(1), f[name].closed.Load(); want != have {
			t.Errorf("closed: want %d, have %d", want, have)
		}
		p.Close()
	})
}

// A factory that gives nothing has failed.
func TestFactoryThatGivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(registry)
		nothing := func(string) (kitendpoint.Endpoint, io.Closer, error) { return nil, nil, nil }
		p := NewPool(r, nothing, kitlog.NewNopLogger())
		r.reset(names(1)...)
		synctest.Wait()
		if want, have := "pending", stat(p, names(1)[0]).State; want != have {
			t.Errorf("want it %s, have %s", want, have)
		}
		p.Close()
	})
}

// A member that was failing when it left, and was given up, begins with a probe when it returns.
func TestFailuresOutliveTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		name := names(4)[0]
		p, r := start(f)
		defer p.Close()
		f[name].fail(errRefused)
		hit(t, p, name, 1)
		r.down(name)
		synctest.Wait()
		hit(t, p, name, 1) // dropped from the reserve
		r.up(name)
		synctest.Wait()
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 500, time.Millisecond).wantNoFailure(t)
		if have := f.since(before)[name]; have != 1 {
			t.Errorf("want one probe, have %d calls", have)
		}
		if m := p.members[name]; m.ejections < 2 {
			t.Errorf("ejections in a row: want the one of before counted, have %d", m.ejections)
		}
	})
}

func TestEndpointsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(newFleet(1))
		endpoints, err := p.Endpoints()
		if err != nil || len(endpoints) != 1 {
			t.Fatalf("want one endpoint, have %d, %v", len(endpoints), err)
		}
		p.Close()
		if _, err := endpoints[0](t.Context(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("want %v, have %v", ErrClosed, err)
		}
	})
}
