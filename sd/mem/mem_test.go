package mem_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/sdtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is a mem.Registry for the conformance suite, in a bubble.
type harness struct{ *mem.Registry }

func (h harness) Open() (sd.Backend, error)     { return h.Registry.Open(), nil }
func (h harness) Put(s string) error            { h.Registry.Put(s); return nil }
func (h harness) Remove(s string) error         { h.Registry.Expire(s); return nil }
func (h harness) Instances() ([]string, error)  { return h.Registry.Instances(), nil }
func (h harness) Fail() error                   { h.Registry.Fail(errors.New("on demand")); return nil }
func (h harness) Restore() error                { h.Registry.Fail(nil); return nil }
func (h harness) Settle()                       { synctest.Wait() }
func newHarness(testing.TB) sdtest.Harness      { return harness{mem.NewRegistry()} }
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func TestConformance(t *testing.T) { sdtest.Run(t, bubble, newHarness) }

// A failure that is over at once has ended the calls that were in progress.
func TestShortFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		b := registry.Open()
		blip := errors.New("blip")
		ended := make(chan error, 2)
		go func() { ended <- b.Watch(t.Context(), sd.Want{}, func(sd.Change) {}) }()
		go func() {
			ended <- b.Announce(t.Context(), sd.Entry{Instance: "192.0.2.1:8897"},
				func(sd.Status) {})
		}()
		synctest.Wait()
		registry.Put("192.0.2.2:8897") // which wakes them as well
		registry.Fail(blip)
		registry.Fail(nil)
		synctest.Wait()
		for range cap(ended) {
			select {
			case err := <-ended:
				if !errors.Is(err, blip) {
					t.Errorf("want %v, have %v", blip, err)
				}
			default:
				t.Error("want a call ended, have it go on")
			}
		}
	})
}
