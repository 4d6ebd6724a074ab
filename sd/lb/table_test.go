package lb

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"
)

func percentile(latencies []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(latencies))
	return sorted[(len(sorted)-1)*p/100]
}

// TestSlowServer prints what each picker makes of one server among five that takes ten times as
// long. In the first table a server works on one call at a time, as one does that is out of
// processors; the slow one cannot bear a fifth of the calls. In the second it works on any number
// at once, as one does behind a long wire: there, calls in flight say little, and only ewma knows.
func TestSlowServer(t *testing.T) {
	for _, serial := range []bool{true, false} {
		p99 := make(map[string]time.Duration)
		t.Logf("%-12s %8s %8s %8s  slow server's share, serial=%v", "", "p50", "p95", "p99", serial)
		for _, name := range PickerNames() {
			synctest.Test(t, func(t *testing.T) {
				l, share := slowServer(t, name, serial)
				p99[name] = percentile(l.latencies, 99)
				ms := func(p int) time.Duration { return percentile(l.latencies, p).Round(time.Millisecond) }
				t.Logf("%-12s %8v %8v %8v  %.2f%%", name, ms(50), ms(95), ms(99), 100*share)
			})
		}
		wantCut(t, p99, "ewma")
		if serial {
			wantCut(t, p99, "leastloaded")
		}
	}
}

func wantCut(t *testing.T, p99 map[string]time.Duration, name string) {
	t.Helper()
	if want, have := p99["random"]/5, p99[name]; have > want {
		t.Errorf("p99 of %s: want at most a fifth of random's, %v, have %v", name, want, have)
	}
}

// slowServer makes 200 calls a second for half a minute, each with a key of its own.
func slowServer(t *testing.T, name string, serial bool) (*load, float64) {
	f := newFleet(5)
	for _, s := range f {
		s.latency = 10 * time.Millisecond
		if serial {
			s.serial = make(chan struct{}, 1)
		}
	}
	slow := names(5)[2]
	f[slow].latency *= 10
	r := new(registry)
	p := NewPool(r, f.factory, kitlog.NewNopLogger())
	defer p.Close()
	r.reset(names(5)...)
	synctest.Wait()
	picker, err := ParsePicker(name)
	if err != nil {
		t.Fatal(err)
	}
	const calls = 6000
	l := drive(t.Context(), keyed(p.picking(picker)), calls, 5*time.Millisecond)
	if len(l.errs) > 0 {
		t.Fatal(fmt.Errorf("%s: %w", name, l.errs[0]))
	}
	return l, float64(f[slow].calls.Load()) / calls
}
