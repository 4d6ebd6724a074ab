package sd_test

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The instances of most tests, in sorted order.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "[2001:db8::3]:8897"
)

// deliveryPause is the least time between two events to one subscriber.
const deliveryPause = 100 * time.Millisecond

// instance returns the n-th of many instances.
func instance(n int) string {
	return fmt.Sprintf("10.%d.%d.%d:8897", n>>16&255, n>>8&255, n&255)
}

func reset(names ...string) sd.Change { return sd.Change{Reset: true, Up: names} }
func up(names ...string) sd.Change    { return sd.Change{Up: names} }
func down(names ...string) sd.Change  { return sd.Change{Down: names} }

// A source is a Backend whose Watch does what the test says.
type source struct {
	sd.Backend // nil: nothing else is called
	changes    chan sd.Change
	failures   chan error
	watches    atomic.Int32 // calls of Watch so far
}

func (s *source) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	s.watches.Add(1)
	for {
		select {
		case c := <-s.changes:
			emit(c)
		case err := <-s.failures:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// emit makes Watch emit c, and waits until everybody has reacted. While no Watch is under way it
// waits for the next one.
func (s *source) emit(c sd.Change) {
	s.changes <- c
	synctest.Wait()
}

// fail makes Watch return err.
func (s *source) fail(err error) {
	s.failures <- err
	synctest.Wait()
}

// pass lets time go by, and waits until everybody has done what was due. It is called by the test's
// own goroutine.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// instancer returns an Instancer on a source. The end of the test stops it.
func instancer(t *testing.T, options ...sd.InstancerOption) (*source, *sd.Instancer) {
	s := &source{changes: make(chan sd.Change), failures: make(chan error)}
	i := sd.NewInstancer(s, kitlog.NewNopLogger(), options...)
	t.Cleanup(i.Stop)
	return s, i
}

// A reader is a subscriber that takes every event at once. What it has noted may be read after
// synctest.Wait.
type reader struct {
	ch   chan kitsd.Event
	sets [][]string
	errs []error     // of the events; there should be none
	at   []time.Time // when each event came
}

// read registers a reader. The end of the test deregisters it and closes its channel, as go-kit's
// Endpointer does.
func read(t *testing.T, i *sd.Instancer) *reader {
	r := &reader{ch: make(chan kitsd.Event)}
	go func() {
		for e := range r.ch {
			r.at = append(r.at, time.Now())
			r.sets = append(r.sets, e.Instances)
			if e.Err != nil {
				r.errs = append(r.errs, e.Err)
			}
		}
	}()
	i.Register(r.ch)
	t.Cleanup(func() {
		i.Deregister(r.ch)
		close(r.ch)
	})
	synctest.Wait()
	return r
}

// last is the newest set, nil when there is none.
func (r *reader) last() []string {
	if len(r.sets) == 0 {
		return nil
	}
	return r.sets[len(r.sets)-1]
}

// same fails the test unless have is want.
func same[T any](t *testing.T, what string, want, have T) {
	t.Helper()
	if !reflect.DeepEqual(want, have) {
		t.Errorf("%s: want %v, have %v", what, want, have)
	}
}
