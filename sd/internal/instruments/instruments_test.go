package instruments

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/board"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Registrations are counted where they are.
func Example() {
	var b board.Board
	all := NewRegistrations(RegistrarMetrics{State: b.Gauge("state")}, "registered", "lost")
	var first, second Registration
	all.Move(&first, "registered", time.Now())
	all.Move(&second, "registered", time.Now())
	all.Move(&first, "lost", time.Now())
	fmt.Println(b.Values())
	// Output: map[state{phase=lost}:1 state{phase=registered}:1]
}

// The time that is shown is that of the registration that has been longest in a phase, whoever came
// and went meanwhile.
func TestSinceIsOfTheLongest(t *testing.T) {
	var b board.Board
	m := RegistrarMetrics{State: b.Gauge("state"), StateSince: b.Gauge("since")}
	all := NewRegistrations(m, "up", "lost")
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	want := func(when string, up, upSince, lost, lostSince float64) {
		t.Helper()
		b.Want(t, when, map[string]float64{
			"state{phase=up}": up, "since{phase=up}": upSince,
			"state{phase=lost}": lost, "since{phase=lost}": lostSince,
		})
	}
	want("from the start", 0, 0, 0, 0)
	var x [3]Registration
	for n := range x {
		all.Move(&x[n], "up", at(n+1))
	}
	want("three", 3, 1, 0, 0)
	all.Move(&x[1], "lost", at(10))
	want("one lost", 2, 1, 1, 10)
	all.Move(&x[0], "lost", at(11))
	want("another", 1, 3, 2, 10)
	all.Move(&x[0], "up", at(12))
	all.Move(&x[0], "lost", at(13))
	want("one that flaps", 1, 3, 2, 10)
	all.Move(&x[1], "up", at(14))
	want("the first is back", 2, 3, 1, 13)
}

// A phase that only a Backend knows is none that is shown.
func TestAnotherPhase(t *testing.T) {
	var b board.Board
	all := NewRegistrations(RegistrarMetrics{State: b.Gauge("state")}, "up")
	var x Registration
	for _, step := range []struct {
		phase string
		up    float64
	}{{"up", 1}, {"sideways", 0}, {"sideways", 0}, {"up", 1}} {
		all.Move(&x, step.phase, time.Now())
		b.Want(t, step.phase, map[string]float64{"state{phase=up}": step.up})
	}
}

// Half a second is not lost in the form that Prometheus wants.
func TestSeconds(t *testing.T) {
	if want, have := 1e9+.5, seconds(time.Unix(1e9, 5e8)); want != have {
		t.Errorf("want %v, have %v", want, have)
	}
}

// While the set is live it is confirmed now, as far as anybody can see.
func TestConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board.Board
		i := NewInstancer(InstancerMetrics{LastConfirmed: b.Gauge("confirmed")})
		old := func() time.Duration {
			return time.Since(time.UnixMicro(int64(1e6 * b.Values()["confirmed"])))
		}
		i.SetState("live", time.Now())
		for range 100 {
			time.Sleep(time.Second)
			if old := old(); old > confirmInterval {
				t.Fatalf("live: want it confirmed within %v, have %v", confirmInterval, old)
			}
		}
		i.SetState("stale", time.Now())
		time.Sleep(time.Minute)
		if old := old(); old != time.Minute {
			t.Errorf("stale: want a minute, have %v", old)
		}
	})
}

// Who has no counter counts all the same.
func TestCounting(t *testing.T) {
	Counting(nil)()
	var b board.Board
	count := Counting(b.Counter("n"))
	b.Want(t, "from the start", map[string]float64{"n": 0})
	count()
	count()
	b.Want(t, "counted", map[string]float64{"n": 2})
}

// A report costs no allocation: it is made by the goroutine that takes a change in.
func TestReportsDoNotAllocate(t *testing.T) {
	i := NewInstancer(InstancerMetrics{})
	now := time.Now()
	allocs := testing.AllocsPerRun(100, func() {
		i.SetSet(10_000, 1)
		i.SetPolicy(Policy{Version: 7})
		i.SetState(live, now)
		i.SetState(stale, now)
	})
	if allocs != 0 {
		t.Errorf("want no allocation, have %v", allocs)
	}
}
