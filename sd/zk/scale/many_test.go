package scale

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	kitlog "github.com/go-kit/log"
)

// A crowd is many subscribers on one Backend.
type crowd struct {
	seen chan time.Time // when one was told something
	size int
}

// newCrowd starts instancers that end with the test, each with followers, and waits until each
// follower has its first set.
func newCrowd(tb testing.TB, b sd.Backend, instancers, followers int) *crowd {
	tb.Helper()
	size := instancers * followers
	c := &crowd{seen: make(chan time.Time, size), size: size}
	var stopping sync.WaitGroup
	for range instancers {
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		for range followers {
			i.Follow(func(sd.Change) { c.seen <- time.Now() })
		}
		tb.Cleanup(func() { stopping.Go(i.Stop) })
	}
	tb.Cleanup(stopping.Wait)
	c.all(tb)
	return c
}

// all waits until every follower was told once, and returns when the last one was.
func (c *crowd) all(tb testing.TB) (last time.Time) {
	tb.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for range c.size {
		select {
		case last = <-c.seen:
		case <-timeout.C:
			tb.Fatal("not every follower was told")
		}
	}
	return last
}

const (
	manySubscribers = 1000
	manyInstances   = 1000
)

// ways are those in which a process has many subscribers of one directory. An Instancer is made to
// be shared: its followers share a list as well.
func ways() []way {
	return []way{{"followers", 1, manySubscribers}, {"instancers", manySubscribers, 1}}
}

type way struct {
	name                  string
	instancers, followers int
}

// A thousand subscribers in one process are one session, one watch, and one list for each
// Instancer.
func TestManyShare(t *testing.T) {
	for _, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			f := newFleet(t, manyInstances)
			const path = "/servers"
			sessions, watches := f.server.Connections(t), f.server.Watches(t)
			f.directory(t, path)
			b := openBackend(t, f.server.Addr(), path)
			t.Cleanup(func() { b.Close() })
			c := newCrowd(t, b, way.instancers, way.followers)
			f.apply(t, change{path, instance(f.n), true})
			c.all(t)
			sdtest.Eventually(t, bound, func() error { // those that filled the directory end
				if have := f.server.Connections(t) - sessions; have != 1 {
					return fmt.Errorf("sessions: want 1, have %d", have)
				}
				return nil
			})
			// ZooKeeper counts a persistent watch twice
			if have := f.server.Watches(t) - watches; have != 2 {
				t.Errorf("watches: want 2, have %d", have)
			}
			if have := b.Stats().Lists; have != int64(way.instancers) {
				t.Errorf("lists: want %d, have %d", way.instancers, have)
			}
		})
	}
}

// How long it takes, in milliseconds, until the last of a thousand subscribers has one change.
func BenchmarkMany(b *testing.B) {
	for _, way := range ways() {
		b.Run(way.name, func(b *testing.B) {
			f := newFleet(b, manyInstances)
			const path = "/servers"
			f.directory(b, path)
			backend := openBackend(b, f.server.Addr(), path)
			b.Cleanup(func() { backend.Close() })
			c := newCrowd(b, backend, way.instancers, way.followers)
			var took []float64
			up := true
			for b.Loop() {
				time.Sleep(quiet)
				_, acked := f.apply(b, change{path, instance(f.n), up})
				took = append(took, millis(c.all(b).Sub(acked)))
				up = !up
			}
			b.ReportMetric(median(took), "last-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
