package sdtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	kitlog "github.com/go-kit/log"
)

// What the tests of a backend, and of a program on one, say beside the contract: servers that
// register and clients that watch, for the time of a test.

// Target parses text, which is written in the test.
func Target(tb testing.TB, text string) sd.Target {
	tb.Helper()
	target, err := sd.ParseTarget(text)
	if err != nil {
		tb.Fatal(err)
	}
	return target
}

// Register registers instance over b until the end of the test. It returns when the first attempt
// has settled.
func Register(tb testing.TB, b sd.Backend, instance string) *sd.Registrar {
	tb.Helper()
	r, err := sd.NewRegistrar(b, instance, kitlog.NewNopLogger())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Deregister)
	r.Register()
	return r
}

// A Viewer follows a directory as a client does, and records what it is told.
type Viewer struct {
	*sd.Instancer
	*Recorder
	stop func()
}

// View follows b's directory until the end of the test.
func View(tb testing.TB, b sd.Backend, options ...sd.InstancerOption) *Viewer {
	v := NewViewer(b, options...)
	tb.Cleanup(v.Stop)
	return v
}

// NewViewer follows b's directory until Stop.
func NewViewer(b sd.Backend, options ...sd.InstancerOption) *Viewer {
	i := sd.NewInstancer(b, kitlog.NewNopLogger(), options...)
	v := &Viewer{Instancer: i, Recorder: NewRecorder()}
	v.stop = v.Follow(func(c sd.Change) {
		c.Effective, c.Sides = nil, nil // an Instancer says these, and a backend, whose record this is, never
		v.Emit(c)
	})
	return v
}

// Stop ends the view, and the Instancer. It may be called again.
func (v *Viewer) Stop() {
	v.stop()
	v.Instancer.Stop()
}

// Shows returns an error unless the viewer was told just of want, and all that it was told was as it
// must be.
func (v *Viewer) Shows(want ...string) error { return errors.Join(v.Is(want...), v.Err()) }

// Phase returns an error unless state says want.
func Phase(state func() sd.State, want sd.Phase) error {
	if have := state(); have.Phase != want {
		return fmt.Errorf("phase: want %s, have %v", want, have)
	}
	return nil
}

// Eventually waits in real time until check returns nil, and returns how long that took. It ends the
// test with check's last error once limit has passed.
func Eventually(tb testing.TB, limit time.Duration, check func() error) (took time.Duration) {
	tb.Helper()
	return wait.For(tb, limit, check)
}
