package lb

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"
)

// A log that nobody reads holds up no call beyond its Timeout, no change, and Close for a second at
// most.
func TestStalledLogHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := make(chan struct{})
		var lines atomic.Int64
		logger := kitlog.LoggerFunc(func(...any) error {
			lines.Add(1)
			<-stalled
			return nil
		})
		f := newFleet(6)
		delete(f, names(6)[5]) // its factory fails
		for _, name := range names(6)[:3] {
			f[name].fail(errRefused)
		}
		r := new(registry)
		p := NewPool(r, f.factory, logger)
		r.reset(names(6)...)
		l := drive(t.Context(), Retry(p, NewRandom()), 100, 10*time.Millisecond)
		l.wantNoFailure(t)
		if have := percentile(l.latencies, 100); have > 0 {
			t.Errorf("slowest call: want no wait, have %v", have)
		}
		r.down(names(6)[4])
		wantListed(t, p, names(6)[3])
		begin := time.Now()
		p.Close()
		if have := time.Since(begin); have > time.Second {
			t.Errorf("Close: want 1 s at most, have %v", have)
		}
		if have := lines.Load(); have != 1 {
			t.Errorf("lines begun: want the one that hangs, have %d", have)
		}
		close(stalled)
	})
}

func TestEjectionIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		logger := kitlog.LoggerFunc(func(kv ...any) error {
			lines = append(lines, fmt.Sprint(kv...))
			return nil
		})
		f := newFleet(4)
		r := new(registry)
		p := NewPool(r, f.factory, logger)
		defer p.Close()
		r.reset(names(4)...)
		synctest.Wait()
		f[names(4)[0]].fail(errRefused)
		hit(t, p, names(4)[0], 5)
		synctest.Wait()
		if want, have := 1, len(lines); want != have {
			t.Errorf("five failures, one ejection: want %d line, have %q", want, lines)
		}
	})
}

// What becomes of calls on a member that has left says nothing about the reserve.
func TestNobodyIsDroppedWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		f := newFleet(2)
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.LoggerFunc(func(kv ...any) error {
			lines = append(lines, fmt.Sprint(kv...))
			return nil
		}))
		defer p.Close()
		r.reset(names(2)...)
		synctest.Wait()
		lost, withdrawn := p.members[names(2)[0]], p.members[names(2)[1]]
		r.down(lost.instance)
		r.withdraw(withdrawn.instance)
		synctest.Wait()
		for _, m := range []*Member{withdrawn, lost, lost} {
			ends(p, m, p.now(), errReset)
		}
		synctest.Wait()
		if len(lines) != 1 || !strings.Contains(lines[0], lost.instance) {
			t.Errorf("want one line about %s, have %q", lost.instance, lines)
		}
	})
}
