package sd

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
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
