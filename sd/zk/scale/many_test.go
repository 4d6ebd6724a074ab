package scale

import (
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// A crowd is many instancers on one Backend.
type crowd struct {
	seen chan time.Time // when an instancer's follower was told something
	size int
}

// newCrowd starts instancers that end with the test, and waits until each has its first set.
func newCrowd(tb testing.TB, b sd.Backend, size int) *crowd {
	tb.Helper()
	c := &crowd{seen: make(chan time.Time, size), size: size}
	var instancers []*sd.Instancer
	for range size {
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		i.Follow(func(sd.Change) { c.seen <- time.Now() })
		instancers = append(instancers, i)
	}
	tb.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, i := range instancers {
			stopping.Go(i.Stop)
		}
		stopping.Wait()
	})
	c.all(tb)
	return c
}

// all waits until every instancer's follower was told once, and returns when the last one was.
func (c *crowd) all(tb testing.TB) (last time.Time) {
	tb.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for range c.size {
		select {
		case last = <-c.seen:
		case <-timeout.C:
			tb.Fatal("not every instancer was told")
		}
	}
	return last
}

const (
	manyInstancers = 1000
	manyInstances  = 1000
)

// A thousand instancers in one process are one session, one watch and one list.
func TestManyInstancersShare(t *testing.T) {
	f := newFleet(t, manyInstances)
	const path = "/servers"
	f.directory(t, path)
	sessions, watches := f.server.Connections(t), f.server.Watches(t)
	b := openBackend(t, f.server.Addr(), path)
	t.Cleanup(func() { b.Close() })
	c := newCrowd(t, b, manyInstancers)
	f.apply(t, change{path, instance(f.n), true})
	c.all(t)
	if have := f.server.Connections(t) - sessions; have != 1 {
		t.Errorf("sessions: want 1, have %d", have)
	}
	if have := f.server.Watches(t) - watches; have != 2 { // ZooKeeper counts a persistent watch twice
		t.Errorf("watches: want 2, have %d", have)
	}
	if have := b.Stats().Lists; have != 1 {
		t.Errorf("lists: want 1, have %d", have)
	}
}

// How long it takes, in milliseconds, until the last of a thousand instancers has one change.
func BenchmarkMany(b *testing.B) {
	f := newFleet(b, manyInstances)
	const path = "/servers"
	f.directory(b, path)
	backend := openBackend(b, f.server.Addr(), path)
	b.Cleanup(func() { backend.Close() })
	c := newCrowd(b, backend, manyInstancers)
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
}
