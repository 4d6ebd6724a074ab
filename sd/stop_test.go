package sd_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
)

// Stop has the last word, also beside a line of the policy that expires.
func TestStopBesideExpiry(t *testing.T) {
	for range 2000 { // when it was wrong, one in a hundred failed
		synctest.Test(t, func(t *testing.T) {
			registry := mem.NewRegistry()
			registry.Put(alice)
			registry.SetPolicy(rules("drain "+alice+" until="+
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "wrong"))
			s := newSteered(t, registry)
			time.Sleep(time.Hour) // and not until all that is due is done
			runtime.Gosched()
			s.Stop()
			if have := s.State(); have.Phase != sd.Stale {
				t.Errorf("state: want stale, have %v", have)
			}
			if err := s.Await(t.Context()); !errors.Is(err, sd.ErrClosed) {
				t.Errorf("await: want %v, have %v", sd.ErrClosed, err)
			}
		})
		if t.Failed() {
			return
		}
	}
}
