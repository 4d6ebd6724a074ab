package zk_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
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
	return sdtest.Register(w.t, b, instance)
}

// eventually waits until f returns nil, for at most within of virtual time, and returns how long
// that took.
func (w *world) eventually(within time.Duration, f func() error) time.Duration {
	w.t.Helper()
	return wait.InBubble(w.t, within, f)
}

// registered waits until the directory holds just want.
func (w *world) registered(within time.Duration, want ...string) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error {
		have, _ := w.Children("/go_servers")
		return sdtest.Same("registered", want, have)
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

// view follows b's directory.
func (w *world) view(b sd.Backend) *sdtest.Viewer { return sdtest.View(w.t, b) }

// shows waits until v shows just want.
func (w *world) shows(v *sdtest.Viewer, within time.Duration, want ...string) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error { return v.Shows(want...) })
}

// phase waits until state says want.
func (w *world) phase(state func() sd.State, within time.Duration, want sd.Phase) time.Duration {
	w.t.Helper()
	return w.eventually(within, func() error { return sdtest.Phase(state, want) })
}
