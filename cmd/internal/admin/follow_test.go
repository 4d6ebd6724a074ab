package admin

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
)

// A counter is a Backend that counts how many watch it.
type counter struct {
	sd.Backend
	watching, begun atomic.Int64
}

func (c *counter) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	c.begun.Add(1)
	c.watching.Add(1)
	defer c.watching.Add(-1)
	return c.Backend.Watch(ctx, want, emit)
}

// counted is a Directory whose watchers are counted.
func counted(registry *mem.Registry) (*counter, Directory) {
	c := &counter{Backend: registry.Open()}
	return c, Directory{Registry: "mem", Follow: func() (*sd.Instancer, func()) {
		i := sd.NewInstancer(c, kitlog.NewNopLogger(), sd.FollowPolicy())
		return i, i.Stop
	}}
}

// A directory is watched from the first view until a minute after the last, once for all viewers.
func TestNobodyWatchesWhoIsNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, directory := counted(newFleet(3))
		s := newServer(t.Context(), ":9867", Config{})
		unfollow := s.Show(View{Listeners: listeners, Directories: []Directory{directory}})
		want := func(when string, watching, begun int64) {
			t.Helper()
			synctest.Wait()
			if c.watching.Load() != watching || c.begun.Load() != begun {
				t.Errorf("%s: want %d watching, %d begun; have %d, %d",
					when, watching, begun, c.watching.Load(), c.begun.Load())
			}
		}
		time.Sleep(time.Hour)
		for _, path := range []string{"/livez", "/readyz", "/metrics", "/debug/pprof/",
			"/favicon.ico", "/x"} {
			ask(s, "GET", path)
		}
		want("before", 0, 0)
		wantText(t, body(t, ask(s, "GET", "/"), 200), address(1), address(2))
		want("at the first view", 1, 1)
		for range 100 {
			time.Sleep(50 * time.Second)
			ask(s, "GET", "/sections")
			ask(s, "GET", "/")
		}
		want("while it is viewed", 1, 1)
		time.Sleep(59 * time.Second)
		want("a minute less a second after the last view", 1, 1)
		time.Sleep(2 * time.Second)
		want("a minute and a second after the last view", 0, 1)
		time.Sleep(time.Hour)
		want("much later", 0, 1)
		wantText(t, body(t, ask(s, "GET", "/"), 200), address(1))
		want("viewed again", 1, 2)
		unfollow()
		want("at the end", 0, 2)
		wantText(t, body(t, ask(s, "GET", "/"), 200), address(1), "stale",
			"It is not followed any more. This is the last list.", "!cannot be read")
		unfollow()
		s.Close()
		want("after the end", 0, 2)
	})
}

// The first view waits a second for a registry that does not answer, those after it not at all, and
// what is known is shown.
func TestTheFirstViewWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(3)
		registry.Fail(errors.New("no quorum"))
		_, directory := counted(registry)
		s := newServer(t.Context(), ":9867", Config{})
		defer s.Show(View{Directories: []Directory{directory, directory}})()
		view := func(want time.Duration) string {
			t.Helper()
			begun := time.Now()
			text := body(t, ask(s, "GET", "/"), 200)
			if have := time.Since(begun); want != have {
				t.Errorf("want a view in %v, have %v", want, have)
			}
			return text
		}
		wantText(t, view(time.Second), "unknown", "The registry cannot be read: ", "no quorum",
			"!"+address(1))
		wantText(t, view(0), "unknown")
		registry.Fail(nil)
		time.Sleep(time.Minute / 2)
		wantText(t, view(0), address(1), "!unknown", "live")
		registry.Fail(errors.New("no leader"))
		time.Sleep(time.Second)
		wantText(t, view(0), address(1), "stale", "This is the last list: ", "no leader")
	})
}

// A silent is a Backend that never answers.
type silent struct{ sd.Backend }

func (silent) Watch(ctx context.Context, _ sd.Want, _ func(sd.Change)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestARegistryThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t.Context(), ":9867", Config{})
		defer s.Show(View{Directories: []Directory{{Registry: "zk://a",
			Follow: func() (*sd.Instancer, func()) {
				i := sd.NewInstancer(silent{}, kitlog.NewNopLogger())
				return i, i.Stop
			}}}})()
		begun := time.Now()
		wantText(t, body(t, ask(s, "GET", "/"), 200), "The registry has not answered yet.",
			"not known yet")
		if have := time.Since(begun); have != time.Second {
			t.Errorf("want a wait of 1 s, have %v", have)
		}
	})
}

// What cannot be followed for a moment, such as one whose credentials are being replaced, is tried
// again at the next look.
func TestADirectoryThatCannotBeFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := counted(newFleet(3))
		follow, fails := d.Follow, true
		d.Follow = func() (*sd.Instancer, func()) {
			if fails {
				return nil, func() {}
			}
			return follow()
		}
		s := newServer(t.Context(), ":9867", Config{})
		unfollow := s.Show(View{Directories: []Directory{d}})
		wantText(t, body(t, ask(s, "GET", "/"), 200), "It is not followed.")
		fails = false
		time.Sleep(2 * time.Second)
		wantText(t, body(t, ask(s, "GET", "/"), 200), address(1), "!It is not followed.")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if have := c.watching.Load(); have != 0 {
			t.Errorf("want nobody watching, have %d", have)
		}
		unfollow()
	})
}

// Nothing is followed after the end, also if nobody has looked before.
func TestALookAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, directory := counted(newFleet(3))
		s := newServer(t.Context(), ":9867", Config{})
		s.Show(View{Directories: []Directory{directory}})()
		wantText(t, body(t, ask(s, "GET", "/"), 200), "It is not followed.")
		if c.begun.Load() != 0 {
			t.Error("want nothing followed")
		}
	})
}
