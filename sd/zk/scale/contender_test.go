package scale

import (
	"fmt"
	"slices"
	"testing"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
)

// A contender is one way to follow a directory.
type contender struct {
	name string
	open func(tb testing.TB, f *fleet, addr, path string) *watcher
}

// contenders lists those that are compared. A function, because a variable could be changed by
// anybody.
func contenders() []contender {
	return []contender{
		{"event", openEvent},
		{"children", openChildren},
		{"follow", openFollow},
		{"pool", openPool},
		{"channel", openChannel},
		{"kit", openKit},
	}
}

// sitsOut says whether a contender leaves out a round. Go-kit takes 1.4 s at 10,000 instances for
// each change, and ten times that at 100,000.
func (c contender) sitsOut(n, round int) bool {
	return c.name == "kit" && (n > 10_000 || n == 10_000 && round%20 != 0)
}

// A watcher is a contender at work. It has a session when it is opened and nothing else.
type watcher struct {
	start func() // begins to watch; the whole set is the first sighting
	seen  chan sighting
	close func()
}

// A sighting is what a watcher has been told, and when it had it.
type sighting struct {
	at    time.Time
	shows func(instance string, up bool) bool
}

func newWatcher() *watcher { return &watcher{seen: make(chan sighting, 4096)} }

// saw notes that the watcher has something new, now.
func (w *watcher) saw(shows func(instance string, up bool) bool) {
	w.seen <- sighting{time.Now(), shows}
}

// next returns the next sighting.
func (w *watcher) next(tb testing.TB) sighting {
	tb.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	select {
	case s := <-w.seen:
		return s
	case <-timeout.C:
		tb.Fatal("the watcher was told nothing")
		return sighting{}
	}
}

// await returns when the watcher had c.
func (w *watcher) await(tb testing.TB, c change) time.Time {
	tb.Helper()
	for {
		if s := w.next(tb); s.shows(c.instance, c.up) {
			return s.at
		}
	}
}

// cold begins to watch and returns how long it took until the whole set was there.
func (w *watcher) cold(tb testing.TB) time.Duration {
	tb.Helper()
	began := time.Now()
	w.start()
	return w.next(tb).at.Sub(began)
}

// difference is a sighting of what came and went.
func difference(up, down []string) func(string, bool) bool {
	return func(instance string, isUp bool) bool {
		if isUp {
			return slices.Contains(up, instance)
		}
		return slices.Contains(down, instance)
	}
}

// whole is a sighting of a set.
func whole(set []string) func(string, bool) bool {
	return func(instance string, up bool) bool { return slices.Contains(set, instance) == up }
}

// openBackend returns a Backend that has a session.
func openBackend(tb testing.TB, addr, path string) *zk.Backend {
	tb.Helper()
	b := connecting(tb, addr, path)
	ticker := time.NewTicker(200 * time.Microsecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(bound); b.Stats().Session == 0; <-ticker.C {
		if time.Now().After(deadline) {
			tb.Fatal("no session")
		}
	}
	return b
}

// connecting returns a Backend as it is opened.
func connecting(tb testing.TB, addr, path string) *zk.Backend {
	tb.Helper()
	target := sdtest.Target(tb, fmt.Sprintf("zk://%s%s?session-timeout=%v", addr, path,
		sessionTimeout))
	b, err := zk.OpenBackend(target)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func openFollow(tb testing.TB, _ *fleet, addr, path string) *watcher {
	w, b := newWatcher(), openBackend(tb, addr, path)
	var i *sd.Instancer
	w.start = func() {
		i = sd.NewInstancer(b, kitlog.NewNopLogger())
		i.Follow(func(c sd.Change) { w.saw(difference(c.Up, c.Down)) })
	}
	w.close = func() {
		i.Stop()
		b.Close()
	}
	return w
}

func openChannel(tb testing.TB, _ *fleet, addr, path string) *watcher {
	w, b := newWatcher(), openBackend(tb, addr, path)
	var i *sd.Instancer
	events := make(chan kitsd.Event)
	w.start = func() {
		go w.relay(events)
		i = sd.NewInstancer(b, kitlog.NewNopLogger())
		i.Register(events)
	}
	w.close = func() {
		i.Stop()
		b.Close()
		close(events)
	}
	return w
}

// relay makes sightings of a go-kit subscription, until the channel is closed.
func (w *watcher) relay(events <-chan kitsd.Event) {
	for e := range events {
		w.saw(whole(e.Instances))
	}
}
