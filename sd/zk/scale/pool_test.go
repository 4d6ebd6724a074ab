package scale

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
)

// openPool sees a change when it can be picked: when the number of members that a picker gets to
// see is the new one.
func openPool(tb testing.TB, _ *fleet, addr, path string) *watcher {
	w, b := newWatcher(), openBackend(tb, addr, path)
	var i *sd.Instancer
	var p *lb.Pool
	w.start = func() {
		i = sd.NewInstancer(b, kitlog.NewNopLogger())
		t := &tap{Instancer: i, watcher: w, ready: make(chan struct{})}
		p = lb.NewPool(t, nothing, kitlog.NewNopLogger())
		t.members = counter(p)
		close(t.ready)
	}
	w.close = func() {
		p.Close()
		i.Stop()
		b.Close()
	}
	return w
}

// nothing is a go-kit factory whose endpoints do nothing.
func nothing(string) (kitendpoint.Endpoint, io.Closer, error) { return kitendpoint.Nop, nil, nil }

// A tap is an Instancer for a Pool. It notes when the Pool has taken in what it was told.
type tap struct {
	*sd.Instancer
	watcher *watcher
	ready   chan struct{} // closed when members is there
	members func() int
}

// Follow is what a Pool asks of an Instancer.
func (t *tap) Follow(fn func(sd.Change)) (stop func()) {
	return t.Instancer.Follow(func(c sd.Change) {
		<-t.ready
		want := t.members() + len(c.Up) - len(c.Down)
		fn(c)
		t.settle(want)
		t.watcher.saw(difference(c.Up, c.Down))
	})
}

// settle returns when the Pool has want members. It looks again at once, because a sleep takes
// longer than a change.
func (t *tap) settle(want int) {
	for deadline := time.Now().Add(bound); t.members() != want; {
		if time.Now().After(deadline) {
			return // whoever awaits the sighting fails
		}
		runtime.Gosched()
	}
}

// counter returns how many members of p a picker gets to see.
func counter(p *lb.Pool) func() int {
	c := &counting{}
	pick := p.Balancer(c)
	return func() int {
		c.n = 0
		if endpoint, err := pick.Endpoint(); err == nil {
			c.first = true
			endpoint(context.Background(), nil)
		}
		return c.n
	}
}

// counting is a Picker that picks nobody. The Pool shows it the open members first, and what is
// left after that.
type counting struct {
	first bool
	n     int
}

func (c *counting) Pick(_ context.Context, s *lb.Snapshot, _ []*lb.Member) *lb.Member {
	if c.first {
		c.first, c.n = false, s.Len()
	}
	return nil
}
