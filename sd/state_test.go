package sd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/policy"
	kitlog "github.com/go-kit/log"
)

func TestStateText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := State{Phase: Stale, Since: time.Now(), Err: errors.New("on demand")}
		time.Sleep(1500*time.Millisecond + 1)
		if want, have := "stale for 1.5s: on demand", s.String(); want != have {
			t.Errorf("with a cause: want %q, have %q", want, have)
		}
		s.Err = nil
		if want, have := "stale for 1.5s", s.String(); want != have {
			t.Errorf("without: want %q, have %q", want, have)
		}
	})
}

// A still is a Backend whose set does not change.
type still struct {
	Backend // nil: nothing else is called
	change  Change
}

func (s *still) Watch(ctx context.Context, _ Want, emit func(Change)) error {
	emit(s.change)
	<-ctx.Done()
	return ctx.Err()
}

// A line of the policy expires by the wall clock: the timer may be late by as long as the host has
// slept, or by as much as the clock was set.
func TestExpiryAfterASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lasts = 2 * time.Hour
		document := policy.Header + "\ndrain * until=" +
			time.Now().Add(lasts).UTC().Format(time.RFC3339) + "\n"
		i := NewInstancer(&still{change: Change{Reset: true, Up: []string{"192.0.2.1:8897"},
			Policy: &PolicyText{Document: document}}}, kitlog.NewNopLogger(), FollowPolicy())
		defer i.Stop()
		synctest.Wait()
		i.steering.mu.Lock()
		i.scheduleExpiry(time.Now().Add(-time.Hour)) // set an hour ago, by a clock that stood still
		i.steering.mu.Unlock()
		drained := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if have := i.Policy().Tally.Drained; want != have {
				t.Errorf("%s: want %d drained, have %d", when, want, have)
			}
		}
		time.Sleep(lasts - time.Second)
		drained("before", 1)
		time.Sleep(time.Minute + time.Second)
		drained("a minute after", 0)
	})
}
