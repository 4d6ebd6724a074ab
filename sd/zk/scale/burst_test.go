package scale

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"
)

const (
	burstOf = 1000 // changes within a second: half of them creates, half deletes
	lanes   = 10   // changes under way at once
)

// A burst is what happens to a directory of n instances: in odd rounds the first few leave and as many new ones come, in
// even rounds it is undone.
type burst struct {
	changes []change
	after   map[string]bool // the set that all must end on
}

func newBurst(path string, n, round int) burst {
	s := burst{after: map[string]bool{}}
	for k := range n + burstOf/2 {
		s.after[instance(k)] = true
	}
	odd := round%2 == 1
	for k := range burstOf / 2 {
		old, young := instance(k), instance(n+k)
		s.changes = append(s.changes, change{path, old, !odd}, change{path, young, odd})
		if odd {
			delete(s.after, old)
		} else {
			delete(s.after, young)
		}
	}
	return s
}

// run makes the changes within about a second and returns when the last one was acknowledged.
func (s burst) run(f *fleet) (lastAck time.Time, err error) {
	var running sync.WaitGroup
	var failures [lanes]error
	var acks [lanes]time.Time
	for lane := range lanes {
		running.Go(func() {
			pace := time.NewTicker(time.Second * lanes / burstOf)
			defer pace.Stop()
			for i := lane; i < len(s.changes); i += lanes {
				failures[lane] = errors.Join(failures[lane], f.send(s.changes[i]))
				acks[lane] = time.Now()
				<-pace.C
			}
		})
	}
	running.Wait()
	return slices.MaxFunc(acks[:], time.Time.Compare), errors.Join(failures[:]...)
}

// send is apply for any goroutine.
func (f *fleet) send(c change) error {
	if c.up {
		_, err := f.conn.Create(c.path+"/"+c.instance, []byte(c.instance), 0, gozk.WorldACL(gozk.PermAll))
		return err
	}
	return f.conn.Delete(c.path+"/"+c.instance, -1)
}

// A mirror is what one subscriber believes.
type mirror struct {
	mu    sync.Mutex
	set   map[string]bool
	told  int // publications
	since time.Time
}

func (m *mirror) replace(set []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told, m.since = m.told+1, time.Now()
	m.set = map[string]bool{}
	for _, s := range set {
		m.set[s] = true
	}
}

func (m *mirror) change(c sd.Change) {
	if c.Reset {
		m.replace(c.Up)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told, m.since = m.told+1, time.Now()
	for _, s := range c.Down {
		delete(m.set, s)
	}
	for _, s := range c.Up {
		m.set[s] = true
	}
}

// settled reports whether the mirror shows want, since when, and after how many publications, which it forgets.
func (m *mirror) settled(want map[string]bool) (since time.Time, told int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !maps.Equal(want, m.set) {
		return time.Time{}, 0, false
	}
	told, m.told = m.told, 0
	return m.since, told, true
}

// An audience is one subscriber of each kind on one Instancer.
type audience struct {
	instancer *sd.Instancer
	pool      *lb.Pool
	mirrors   map[string]*mirror // by kind; the pool's is of what it is told
}

func (f *fleet) audience(tb testing.TB, path string) *audience {
	b := openBackend(tb, f.server.Addr(), path)
	a := &audience{
		instancer: sd.NewInstancer(b, kitlog.NewNopLogger()),
		mirrors:   map[string]*mirror{"follow": {}, "channel": {}, "pool": {}},
	}
	events := make(chan kitsd.Event)
	var running sync.WaitGroup
	running.Go(func() {
		for e := range events {
			a.mirrors["channel"].replace(e.Instances)
		}
	})
	a.instancer.Follow(a.mirrors["follow"].change)
	a.instancer.Register(events)
	a.pool = lb.NewPool(&heard{a.instancer, a.mirrors["pool"]}, nothing, kitlog.NewNopLogger())
	tb.Cleanup(func() {
		a.pool.Close()
		a.instancer.Stop()
		b.Close()
		close(events)
		running.Wait()
	})
	return a
}

// heard notes what a Pool has taken in.
type heard struct {
	*sd.Instancer
	mirror *mirror
}

// Follow is what a Pool asks of an Instancer.
func (h *heard) Follow(fn func(sd.Change)) (stop func()) {
	return h.Instancer.Follow(func(c sd.Change) {
		fn(c)
		h.mirror.change(c)
	})
}

// settle waits until every subscriber is on the set, and returns how long after t the last one was, and how often the
// one that was told most was told.
func (a *audience) settle(tb testing.TB, want map[string]bool, t time.Time) (late time.Duration, told int) {
	tb.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(bound)
	for kind, m := range a.mirrors {
		since, count, ok := m.settled(want)
		for ; !ok; since, count, ok = m.settled(want) {
			if time.Now().After(deadline) {
				tb.Fatalf("%s never saw the right set", kind)
			}
			<-ticker.C
		}
		late, told = max(late, since.Sub(t)), max(told, count)
	}
	for !maps.Equal(want, a.listed()) {
		if time.Now().After(deadline) {
			tb.Fatal("the pool never had the right set")
		}
		<-ticker.C
	}
	return late, told
}

// listed is what the Pool takes to be in the registry.
func (a *audience) listed() map[string]bool {
	set := map[string]bool{}
	for _, s := range a.pool.Stats() {
		if s.State == "listed" {
			set[s.Instance] = true
		}
	}
	return set
}

// What a thousand changes within a second do at 10,000 instances: how long after the last ack the last subscriber has the
// right set, in milliseconds, and how often one was told.
func BenchmarkBurst(b *testing.B) {
	f := newFleet(b, 10_000)
	const path = "/servers"
	f.directory(b, path)
	a := f.audience(b, path)
	a.settle(b, newBurst(path, f.n, 0).after, time.Now())
	var late, told []float64
	round := 0
	for b.Loop() {
		round++
		l, t := a.burst(b, f, path, round)
		late, told = append(late, millis(l)), append(told, float64(t))
	}
	b.ReportMetric(median(late), "settled-ms")
	b.ReportMetric(slices.Max(late), "settled-max-ms")
	b.ReportMetric(slices.Max(told), "publications-max")
	b.ReportMetric(0, "ns/op")
}

func (a *audience) burst(tb testing.TB, f *fleet, path string, round int) (late time.Duration, told int) {
	tb.Helper()
	s := newBurst(path, f.n, round)
	lastAck, err := s.run(f)
	if err != nil {
		tb.Fatal(err)
	}
	return a.settle(tb, s.after, lastAck)
}

// However many changes come, a subscriber is told at most every 100 ms, and ends on the right set.
func TestBurst(t *testing.T) {
	f := newFleet(t, 10_000)
	const path = "/servers"
	f.directory(t, path)
	a := f.audience(t, path)
	a.settle(t, newBurst(path, f.n, 0).after, time.Now())
	began := time.Now()
	_, told := a.burst(t, f, path, 1)
	if most := max(20, int(time.Since(began)/(100*time.Millisecond))+1); told > most {
		t.Errorf("publications to one subscriber: want at most %d, have %d", most, told)
	}
}
