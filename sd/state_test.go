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
		next  Phase
		cause error
		news  bool
	}{
		"another phase":           {Live, nil, Stale, errTest, true},
		"another phase, no error": {Stale, errTest, Live, nil, true},
		"the same again":          {Live, nil, Live, nil, false},
		"the same cause again":    {Stale, errTest, Stale, errors.New(errTest.Error()), false},
		"another cause":           {Stale, errTest, Stale, refused, true},
		"a cause at last":         {Unknown, nil, Unknown, errTest, true},
		"the cause went away":     {Unknown, errTest, Unknown, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := State{Phase: test.phase, Since: time.Now(), Err: test.err}
				time.Sleep(time.Hour)
				next, news := before.to(test.next, test.cause)
				since := before.Since
				if test.phase != test.next {
					since = time.Now()
				}
				if want := (State{test.next, since, test.cause}); next != want {
					t.Errorf("next: want %v, have %v", want, next)
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
