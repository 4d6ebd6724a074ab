package lb

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A Stat says where an instance stands, until when, and why.
func TestStatTellsWhereAnInstanceStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f, Reserve(40*time.Second), SlowStart(10*time.Second),
			Ejection(time.Second, 30*time.Second))
		defer p.Close()
		victim := names(4)[0]
		want := func(when, state string, failing, warming bool, least, most time.Duration, cause error) {
			t.Helper()
			synctest.Wait()
			s := stat(p, victim)
			if s.State != state || s.Failing != failing || s.Warming != warming ||
				!errors.Is(s.Err, cause) || (s.Cause == "") != (cause == nil) {
				t.Errorf("%s: want %s, failing %v, warming %v, %v; have %+v",
					when, state, failing, warming, cause, s)
			}
			if left := time.Until(s.Until); s.Until.IsZero() != (most == 0) ||
				most > 0 && (left < least || left > most) {
				t.Errorf("%s: want an end in %v to %v, have %v", when, least, most, left)
			}
		}
		want("at first", "listed", false, false, 0, 0, nil)

		f[victim].fail(errReset)
		hit(t, p, victim, 1)
		want("after a failure", "listed", true, false, 0, 0, nil)
		f[victim].fail(errRefused)
		hit(t, p, victim, 1)
		want("refused", "ejected", true, false, 700*time.Millisecond, time.Second, errRefused)
		if want, have := "refused", stat(p, victim).Cause; want != have {
			t.Errorf("cause: want %s, have %s", want, have)
		}
		f[victim].fail(nil)
		hit(t, p, victim, 1)
		want("answered", "listed", false, false, 0, 0, nil)

		time.Sleep(20 * time.Second)
		r.down(victim)
		want("lost", "reserve", false, false, 40*time.Second, 40*time.Second, nil)
		r.withdraw(victim)
		time.Sleep(time.Minute)
		r.up(victim)
		want("back, much later", "listed", false, true, 9*time.Second, 10*time.Second, nil)
		time.Sleep(11 * time.Second)
		want("warm", "listed", false, false, 0, 0, nil)
	})
}
