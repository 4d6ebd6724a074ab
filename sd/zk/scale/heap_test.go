package scale

import (
	"runtime"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/zk"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one only finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A footprint is bytes for each instance, names included.
type footprint struct {
	fixed    float64 // a Backend with a session, in bytes: most of it go-zookeeper's buffers
	followed float64 // what a followed Instancer and its Backend hold
	listed   float64 // what a first go-kit subscriber adds, besides what it keeps itself
	pooled   float64 // what a Pool adds
}

// footprint builds everything on one directory and takes it down again.
func (f *fleet) footprint(tb testing.TB, path string) footprint {
	tb.Helper()
	each := func(before, after uint64) float64 { return float64(int64(after-before)) / float64(f.n) }
	empty := heap()
	b := openBackend(tb, f.server.Addr(), path)
	idle := heap()
	i := sd.NewInstancer(b, kitlog.NewNopLogger())
	first := make(chan struct{}, 1)
	i.Follow(func(sd.Change) { first <- struct{}{} })
	<-first
	followed := heap()
	f.list(i)
	listed := heap()
	p := f.pool(tb, i)
	pooled := heap()
	f.release(p, i, b)
	return footprint{float64(int64(idle - empty)), each(idle, followed), each(followed, listed),
		each(listed, pooled)}
}

// list has i deliver one event, and forgets it.
func (f *fleet) list(i *sd.Instancer) {
	events := make(chan kitsd.Event)
	i.Register(events)
	<-events
	i.Deregister(events)
}

// pool returns a Pool on i once it has everybody.
func (f *fleet) pool(tb testing.TB, i *sd.Instancer) *lb.Pool {
	tb.Helper()
	t := &tap{Instancer: i, watcher: newWatcher(), ready: make(chan struct{})}
	p := lb.NewPool(t, nothing, kitlog.NewNopLogger())
	t.members = counter(p)
	close(t.ready)
	t.watcher.next(tb)
	return p
}

func (f *fleet) release(p *lb.Pool, i *sd.Instancer, b *zk.Backend) {
	p.Close()
	i.Stop()
	b.Close()
}

// What an instance takes of the heap.
func BenchmarkHeap(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := newFleet(b, n)
		const path = "/servers"
		f.directory(b, path)
		var fixed, followed, listed, pooled []float64
		for b.Loop() {
			have := f.footprint(b, path)
			fixed, followed = append(fixed, have.fixed), append(followed, have.followed)
			listed, pooled = append(listed, have.listed), append(pooled, have.pooled)
		}
		b.ReportMetric(median(fixed)/1024, "fixed-KiB")
		b.ReportMetric(median(followed), "instancer-B/instance")
		b.ReportMetric(median(listed), "listed-B/instance")
		b.ReportMetric(median(pooled), "pool-B/instance")
		b.ReportMetric(0, "ns/op")
	})
}

// An instance takes at most 300 bytes in an Instancer and its Backend, sorted form included.
func TestHeap(t *testing.T) {
	f := newFleet(t, 50_000)
	const path = "/servers"
	f.directory(t, path)
	if have := f.footprint(t, path); have.followed+have.listed > 300 {
		t.Errorf("heap for each instance: want at most 300 bytes, have %+v", have)
	}
}
