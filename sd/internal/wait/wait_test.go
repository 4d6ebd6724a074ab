package wait_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errNotYet = errors.New("not yet")

// after returns a check that holds from d on.
func after(d time.Duration) func() error {
	begun := time.Now()
	return func() error {
		if time.Since(begun) < d {
			return errNotYet
		}
		return nil
	}
}

func Example() {
	looks := 0
	_, err := wait.Until(time.Second, func() error {
		if looks++; looks < 3 {
			return errNotYet
		}
		return nil
	})
	fmt.Println(looks, err)
	// Output: 3 <nil>
}

// The error that is returned is that of the last look, which comes after the limit.
func TestUntilGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, err := wait.Until(time.Second, after(time.Hour))
		if !errors.Is(err, errNotYet) {
			t.Errorf("want %v, have %v", errNotYet, err)
		}
		if took < time.Second || took > time.Second+2*wait.Every {
			t.Errorf("want 1 s, have %v", took)
		}
	})
}

// A failing is a test that ends, and takes its goroutine with it.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(f)
}

func TestForEndsTheTest(t *testing.T) {
	for name, ends := range map[string]func(testing.TB, time.Duration, func() error) time.Duration{
		"real": wait.For, "bubble": wait.InBubble,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &failing{TB: t}
			defer func() {
				if recover() != f || f.said == "" {
					t.Errorf("%s: want the test ended with an error, have %q", name, f.said)
				}
			}()
			ends(f, time.Second, after(time.Hour))
		})
	}
}

// In a bubble an hour passes at once, is told to a twentieth, and what others did is seen.
func TestInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Bool
		time.AfterFunc(time.Hour, func() { done.Store(true) })
		took := wait.InBubble(t, 2*time.Hour, func() error {
			if !done.Load() {
				return errNotYet
			}
			return nil
		})
		if took < time.Hour || took > time.Hour+time.Hour/20 {
			t.Errorf("want an hour, have %v", took)
		}
		begun := time.Now()
		if wait.Pass(time.Minute); time.Since(begun) != time.Minute {
			t.Errorf("want a minute, have %v", time.Since(begun))
		}
	})
}

// Where nobody else wants the processor nobody is late.
func TestLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := wait.StartLateness()
		time.Sleep(time.Second)
		if worst := l.Stop(); worst != 0 {
			t.Errorf("want nobody late, have %v", worst)
		}
	})
}

// A machine that is not late gets no more time than the limit.
func TestLatenessUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := wait.StartLateness()
		defer l.Stop()
		took, err := l.Until(time.Second, time.Millisecond, after(time.Hour))
		if !errors.Is(err, errNotYet) || took < time.Second || took > time.Second+5*wait.Every {
			t.Errorf("want %v after 1 s, have %v after %v", errNotYet, err, took)
		}
		if took, err := l.Until(time.Second, 0, after(time.Second/2)); err != nil || took > time.Second {
			t.Errorf("want it in half a second, have %v after %v", err, took)
		}
	})
}
