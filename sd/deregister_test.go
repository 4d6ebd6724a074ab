package sd_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

func TestDeregisterWithoutRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: holds}
		r := registrar(t, d)
		same(t, "Deregister took", 0, timed(r.Deregister))
		d.wantCalls(t, 0, 0)
		wantState(t, r, sd.Withdrawn, nil)
	})
}

func TestDeregisterReturnsWhenWithdrawn(t *testing.T) {
	for name, test := range map[string]struct{ withdrawal, takes time.Duration }{
		"at once":        {0, 0},
		"soon":           {300 * time.Millisecond, 300 * time.Millisecond},
		"not within 2 s": {time.Minute, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := registrar(t, &desk{announce: slowToWithdraw(test.withdrawal)})
				r.Register()
				same(t, "Deregister took", test.takes, timed(r.Deregister))
				pass(time.Minute)
				wantState(t, r, sd.Withdrawn, nil)
			})
		})
	}
}

// A withdrawal that nobody confirmed shows in the state.
func TestUnconfirmedWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registrar(t, &desk{announce: func(ctx context.Context, up func()) error {
			return errors.Join(holds(ctx, up), sd.ErrUnconfirmed)
		}})
		r.Register()
		r.Deregister()
		wantState(t, r, sd.Withdrawn, sd.ErrUnconfirmed)
	})
}

// Nor is one confirmed that a backend did not try, because it was closed before. That there is
// nothing to withdraw is a confirmation.
func TestWithdrawalThatIsNotTried(t *testing.T) {
	for what, test := range map[string]struct{ says, want error }{
		"closed":                {sd.ErrClosed, sd.ErrUnconfirmed},
		"of somebody else":      {sd.ErrConflict, nil},
		"takes no registration": {sd.ErrNoAnnounce, nil},
		"nothing":               {nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{announce: func(context.Context, func()) error { return test.says }}
				r := registrar(t, d)
				r.Register()
				r.Deregister()
				pass(time.Minute)
				wantState(t, r, sd.Withdrawn, test.want)
			})
		})
	}
}

// While nothing is announced the backend is still told once, because an attempt that failed leaves
// open whether the entry exists.
func TestDeregisterDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: fails(sd.ErrDenied)} // a long pause
		r := registrar(t, d)
		r.Register()
		pass(time.Second)
		same(t, "Deregister took", 0, timed(r.Deregister))
		pass(time.Hour)
		d.wantCalls(t, 1, 1)
		wantState(t, r, sd.Withdrawn, nil)
	})
}

// The same holds when the announcement breaks at the moment of Deregister: only ctx's error says
// that the entry is gone.
func TestDeregisterWhileItBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: func(ctx context.Context, up func()) error {
			up()
			<-ctx.Done()
			return errDown
		}}
		r := registrar(t, d)
		r.Register()
		d.then(holds)
		r.Deregister()
		d.wantCalls(t, 1, 1)
		wantState(t, r, sd.Withdrawn, nil)
	})
}

// What withdraws is called once, whatever it returns: a backend that was closed has nothing else to
// say.
func TestWithdrawalIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: func(context.Context, func()) error { return sd.ErrClosed }}
		r := registrar(t, d)
		r.Register()
		pass(0)
		live, _ := d.count()
		r.Deregister()
		pass(time.Hour)
		d.wantCalls(t, live, 1)
	})
}

// After Deregister returned no create is issued, whatever the backend was about.
func TestNoAnnouncementAfterDeregister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moods := []announcement{
			holds, hangs, fails(errDown), fails(sd.ErrConflict), fails(sd.ErrDenied),
			slowToWithdraw(5 * time.Second),
			after(time.Second, holds), after(time.Second, fails(errDown)),
		}
		d := &desk{}
		d.then(func(ctx context.Context, up func()) error {
			return moods[rand.N(len(moods))](ctx, up)
		})
		r := registrar(t, d)
		for n := range 200 {
			go r.Register()
			pass(rand.N(3 * time.Second))
			r.Deregister()
			live, _ := d.count()
			pass(rand.N(time.Minute))
			if after, _ := d.count(); after != live {
				t.Fatalf("round %d: want no call with a live ctx after Deregister, have %d", n,
					after-live)
			}
		}
		pass(time.Minute) // the last one may be slow to withdraw
		same(t, "calls at once", 1, d.together)
	})
}

// What was never registered, or is somebody else's by now, is not said to be withdrawn.
func TestWithdrawnIsSaidOfOnesOwn(t *testing.T) {
	for name, c := range map[string]struct {
		announce, then announcement
		want           string
	}{
		"registered":              {holds, holds, "msg=withdrawn"},
		"lost":                    {holds, fails(errDown), "msg=withdrawn"}, // it may be there
		"refused":                 {fails(sd.ErrDenied), fails(sd.ErrDenied), `msg="not registered" phase=withdrawn`},
		"another's":               {fails(sd.ErrConflict), fails(sd.ErrConflict), `msg="not registered" phase=withdrawn`},
		"taken away":              {holds, fails(sd.ErrConflict), `msg="not registered" phase=withdrawn`},
		"no answer":               {hangs, hangs, `msg="not registered" phase=withdrawn`},
		"another's, and regained": {fails(sd.ErrConflict), holds, "msg=withdrawn"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				d := &desk{announce: func(ctx context.Context, up func()) error {
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					go func() {
						select {
						case <-end:
							cancel()
						case <-ctx.Done():
						}
					}()
					return c.announce(ctx, up)
				}}
				var lines strings.Builder
				r, err := sd.NewRegistrar(d, alice, kitlog.NewLogfmtLogger(&lines))
				if err != nil {
					t.Fatal(err)
				}
				r.Register()
				d.then(c.then)
				close(end)
				pass(time.Minute)
				r.Deregister()
				if last := lines.String()[strings.LastIndex(strings.TrimSpace(lines.String()), "\n")+1:]; !strings.Contains(last, c.want) {
					t.Errorf("want %s in the last line, have\n%s", c.want, lines.String())
				}
			})
		})
	}
}

// As long as a withdrawal is under way the state says that it is not confirmed.
func TestStateDuringWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registrar(t, &desk{announce: slowToWithdraw(time.Second)})
		r.Register()
		go r.Deregister()
		synctest.Wait()
		wantState(t, r, sd.Withdrawn, sd.ErrUnconfirmed)
		pass(time.Minute)
		wantState(t, r, sd.Withdrawn, nil)
	})
}

// Whoever waits in Register is released by Deregister.
func TestDeregisterReleasesRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registrar(t, &desk{announce: hangs})
		took := make(chan time.Duration, 1)
		go func() { took <- timed(r.Register) }()
		pass(time.Second)
		r.Deregister()
		same(t, "Register took", time.Second, <-took)
	})
}

// A stalled log blocks at one message.
type stalledLog struct {
	at      string
	resumed chan struct{}
}

func (l stalledLog) Log(keyvals ...any) error {
	if slices.Contains(keyvals, any(l.at)) {
		<-l.resumed
	}
	return nil
}

// A log that nobody reads holds up neither the withdrawal nor Deregister.
func TestWithdrawalDoesNotWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		log := stalledLog{"registered", make(chan struct{})}
		r, err := sd.NewRegistrar(registry.Open(), alice, log)
		if err != nil {
			t.Fatal(err)
		}
		r.Register()
		same(t, "registered", []string{alice}, registry.Instances())
		if took := timed(r.Deregister); took > 2*time.Second {
			t.Errorf("Deregister took %v, want 2s at most", took)
		}
		if have := registry.Instances(); len(have) != 0 {
			t.Errorf("after Deregister: want nobody registered, have %q", have)
		}
		wantState(t, r, sd.Withdrawn, nil)
		close(log.resumed)
		synctest.Wait()
	})
}
