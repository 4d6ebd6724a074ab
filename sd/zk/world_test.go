package zk_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"github.com/go-kit/log"
)

// The instances of the tests.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "192.0.2.3:8897"
)

// A world is a directory in memory with servers that register and clients that watch, in one
// bubble. Its time is virtual.
type world struct {
	*memory
	t *testing.T
}

// inWorld runs f in a bubble with a fresh world.
func inWorld(t *testing.T, text string, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) { f(&world{newMemory(t, text), t}) })
}

// open opens a backend that is closed before the server is.
func (w *world) open() *zk.Backend {
	b, err := zk.OpenBackend(w.target, zk.Dial(w.Dial))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

// register registers instance over b.
func (w *world) register(b sd.Backend, instance string) *sd.Registrar {
	return register(w.t, b, instance)
}

func register(t testing.TB, b sd.Backend, instance string) *sd.Registrar {
	r, err := sd.NewRegistrar(b, instance, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	r.Register()
	t.Cleanup(r.Deregister)
	return r
}

// eventually waits until f returns nil, for at most within of virtual time, and returns how long
// that took.
func (w *world) eventually(within time.Duration, f func() error) time.Duration {
	w.t.Helper()
	start := time.Now()
	for {
		synctest.Wait()
		err := f()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > within {
			w.t.Fatalf("after %v: %v", within, err)
		}
		time.Sleep(max(time.Millisecond, time.Since(start)/20))
	}
}

// registered waits until the directory holds just want.
func (w *world) registered(within time.Duration, want ...string) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error {
		have, _ := w.Children("/go_servers")
		return same("registered", want, have)
	})
}

// owner returns the session that owns the node of instance.
func (w *world) owner(instance string) int64 {
	w.t.Helper()
	_, stat, err := w.Get("/go_servers/" + instance)
	if err != nil {
		w.t.Fatal(err)
	}
	return stat.EphemeralOwner
}

// pass lets virtual time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A viewer follows a directory as a client does.
type viewer struct {
	*sd.Instancer
	mu       sync.Mutex
	set      map[string]bool
	updates  int
	smallest int // size of the smallest set shown; -1 before the first
}

// view follows b's directory.
func (w *world) view(b sd.Backend) *viewer {
	v := &viewer{Instancer: sd.NewInstancer(b, log.NewNopLogger()), smallest: -1, set: map[string]bool{}}
	stop := v.Follow(func(c sd.Change) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if c.Reset {
			clear(v.set)
		}
		for _, s := range c.Down {
			delete(v.set, s)
		}
		for _, s := range c.Up {
			v.set[s] = true
		}
		v.updates++
		if v.smallest < 0 || len(v.set) < v.smallest {
			v.smallest = len(v.set)
		}
	})
	w.t.Cleanup(func() { stop(); v.Stop() })
	return v
}

// shows waits until v shows just want.
func (w *world) shows(v *viewer, within time.Duration, want ...string) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.updates == 0 {
			return errors.New("nothing shown")
		}
		var have []string
		for s := range v.set {
			have = append(have, s)
		}
		return same("shown", want, have)
	})
}

func same(what string, want, have []string) error {
	want, have = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(have))
	if !slices.Equal(want, have) {
		return fmt.Errorf("%s: want %q, have %q", what, want, have)
	}
	return nil
}

// phase waits until state says want.
func (w *world) phase(state func() sd.State, within time.Duration, want sd.Phase) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error {
		if have := state(); have.Phase != want {
			return fmt.Errorf("phase: want %s, have %s", want, have)
		}
		return nil
	})
}
