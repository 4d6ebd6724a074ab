package scale

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/sdtest"
)

const (
	burstOf = 1000 // changes within a second: half of them creates, half deletes
	lanes   = 10   // changes under way at once
)

// A burst is what happens to a directory of n instances: in odd rounds the first few leave and as
// many new ones come, in even rounds it is undone.
type burst struct {
	changes []change
	after   []string // the set that all must end on
}

func newBurst(path string, n, round int) burst {
	s := burst{}
	odd := round%2 == 1
	for k := range burstOf / 2 {
		old, young := instance(k), instance(n+k)
		s.changes = append(s.changes, change{path, old, !odd}, change{path, young, odd})
	}
	first := 0
	if odd {
		first = burstOf / 2
	}
	for k := range n {
		s.after = append(s.after, instance(first+k))
	}
	slices.Sort(s.after)
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

// A mirror is what one subscriber believes, and since when.
type mirror struct {
	*sdtest.Recorder
	since  atomic.Int64 // nanoseconds from the epoch
	looked int          // publications when settled last looked
}

func newMirror() *mirror { return &mirror{Recorder: sdtest.NewRecorder()} }

func (m *mirror) change(c sd.Change) {
	m.since.Store(time.Now().UnixNano())
	m.Emit(c)
}

// settled returns an error unless the mirror shows want. It compares sets only when there is a new
// one: that takes milliseconds.
func (m *mirror) settled(want []string) error {
	told := m.Emits()
	if told == m.looked {
		return errors.New("nothing new")
	}
	m.looked = told
	return m.Is(want...)
}

// reckon returns when the last publication came, and how many have come since the last reckoning.
func (m *mirror) reckon() (since time.Time, told int) {
	told, m.looked = m.Emits(), 0
	m.Mark()
	return time.Unix(0, m.since.Load()), told
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
		mirrors: map[string]*mirror{
			"follow": newMirror(), "channel": newMirror(), "pool": newMirror(),
		},
	}
	events := make(chan kitsd.Event)
	var running sync.WaitGroup
	running.Go(func() {
		for e := range events {
			a.mirrors["channel"].change(sd.Change{Reset: true, Up: e.Instances})
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

// settle waits until every subscriber is on the set, and returns how long after t the last one was,
// and how often the one that was told most was told.
func (a *audience) settle(
	tb testing.TB, want []string, t time.Time,
) (late time.Duration, told int) {
	tb.Helper()
	for kind, m := range a.mirrors {
		sdtest.Eventually(tb, bound, func() error {
			if m.settled(want) != nil { // it names ten thousand
				return fmt.Errorf("%s never saw the right set", kind)
			}
			return m.Err()
		})
		since, count := m.reckon()
		late, told = max(late, since.Sub(t)), max(told, count)
	}
	sdtest.Eventually(tb, bound, func() error {
		if !slices.Equal(want, a.listed()) {
			return errors.New("the pool never had the right set")
		}
		return nil
	})
	return late, told
}

// listed is what the Pool takes to be in the registry, sorted.
func (a *audience) listed() (list []string) {
	for _, s := range a.pool.Stats() {
		if s.State == "listed" {
			list = append(list, s.Instance)
		}
	}
	slices.Sort(list)
	return list
}

// What a thousand changes within a second do at 10,000 instances: how long after the last ack the
// last subscriber has the right set, in milliseconds, and how often one was told.
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

func (a *audience) burst(
	tb testing.TB, f *fleet, path string, round int,
) (late time.Duration, told int) {
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
