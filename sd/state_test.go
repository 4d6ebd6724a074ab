package sd

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestStateChanges(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		phase Phase
		err   error // in the state before
		after time.Duration
		next  Phase
		cause error
		news  bool
	}{
		"another phase":            {Live, nil, 0, Stale, errTest, true},
		"another phase, no error":  {Stale, errTest, 0, Live, nil, true},
		"the same again":           {Live, nil, time.Hour, Live, nil, false},
		"the same cause again":     {Stale, errTest, time.Hour, Stale, errors.New(errTest.Error()), false},
		"another cause, too soon":  {Stale, errTest, reasonPause - 1, Stale, refused, false},
		"another cause, in time":   {Stale, errTest, reasonPause, Stale, refused, true},
		"a first cause":            {Unknown, nil, 0, Unknown, errTest, true},
		"the cause went away":      {Unknown, errTest, 0, Unknown, nil, true},
		"the cause was never told": {Unknown, nil, 0, Unknown, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before, _ := State{}.to(test.phase, test.err)
				time.Sleep(test.after)
				next, news := before.to(test.next, test.cause)
				since := before.Since
				if test.phase != test.next {
					since = time.Now()
				}
				if next.Phase != test.next || next.Since != since || next.Err != test.cause {
					t.Errorf("next: want %s since %v, %v, have %v", test.next, since, test.cause, next)
				}
				if news != test.news {
					t.Errorf("news: want %v, have %v", test.news, news)
				}
			})
		})
	}
}

func TestStateText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := State{Phase: Stale, Since: time.Now(), Err: errTest}
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
