package sd_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

// Register waits for the first attempt, well or badly, but not for ever.
func TestRegisterReturnsWhenSettled(t *testing.T) {
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		announce announcement
		takes    time.Duration
		phase    sd.Phase
		err      error
	}{
		"visible":   {after(soon, holds), soon, sd.Registered, nil},
		"refused":   {after(soon, fails(errDown)), soon, sd.Registering, errDown},
		"conflict":  {after(soon, fails(sd.ErrConflict)), soon, sd.Conflict, sd.ErrConflict},
		"hangs":     {hangs, 2 * time.Second, sd.Registering, nil},
		"very slow": {after(time.Minute, holds), 2 * time.Second, sd.Registering, nil},
		"up and lost": {func(_ context.Context, up func()) error { up(); return errDown }, 0,
			sd.Lost, errDown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := registrar(t, &desk{announce: test.announce})
				same(t, "Register took", test.takes, timed(r.Register))
				synctest.Wait()
				wantState(t, r, test.phase, test.err)
			})
		})
	}
}

// Attempts go on, with pauses between them, until one succeeds.
func TestRegistrationIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: fails(errDown)}
		r := registrar(t, d)
		r.Register()
		pass(10 * time.Minute)
		if live, _ := d.count(); live < 600 || live > 2400 {
			t.Errorf("attempts in ten minutes: want one in half a second, have %d", live)
		}
		d.then(holds)
		pass(time.Second)
		wantState(t, r, sd.Registered, nil)
	})
}

// A registration that succeeds and is lost at once is no busy loop either, and a denied one waits
// for somebody to change a permission.
func TestRegistrationIsNoBusyLoop(t *testing.T) {
	for name, test := range map[string]struct {
		announce    announcement
		least, most int // attempts in ten minutes
	}{
		"lost at once": {func(_ context.Context, up func()) error { up(); return errDown }, 6000,
			24000},
		"denied":   {fails(sd.ErrDenied), 20, 40},
		"conflict": {fails(sd.ErrConflict), 600, 2400},
		// Against its contract.
		"returns nil": {func(context.Context, func()) error { return nil }, 600, 2400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{announce: test.announce}
				registrar(t, d).Register()
				pass(10 * time.Minute)
				if live, _ := d.count(); live < test.least || live > test.most {
					t.Errorf("attempts in ten minutes: want %d to %d, have %d", test.least,
						test.most, live)
				}
			})
		})
	}
}

// The life of a registration, and since when each phase lasts.
func TestStateOfARegistrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error)
		d := &desk{announce: fails(sd.ErrConflict)}
		r := registrar(t, d)
		wantState(t, r, sd.Withdrawn, nil)
		r.Register()
		began := time.Now()
		pass(time.Minute)
		wantState(t, r, sd.Conflict, sd.ErrConflict)
		same(t, "since", began, r.State().Since)

		d.then(hears(lost)) // the other one went away
		pass(time.Second)
		wantState(t, r, sd.Registered, nil)

		d.then(fails(errDown))
		lost <- errDown
		began = time.Now()
		pass(time.Minute)
		wantState(t, r, sd.Lost, errDown)
		same(t, "since", began, r.State().Since)

		d.then(holds)
		pass(time.Second)
		wantState(t, r, sd.Registered, nil)

		r.Deregister()
		wantState(t, r, sd.Withdrawn, nil)
		same(t, "since", time.Now(), r.State().Since)
	})
}

func TestRegisteringTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: holds}
		r := registrar(t, d)
		r.Register()
		pass(time.Minute)
		same(t, "second Register took", 0, timed(r.Register))
		d.wantCalls(t, 1, 0)
		r.Deregister()
		wantState(t, r, sd.Withdrawn, nil)
	})
}

func TestRegisterAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		b := registry.Open()
		defer b.Close()
		r := registrar(t, b)
		for range 3 {
			r.Register()
			same(t, "registered", []string{alice}, registry.Instances())
			wantState(t, r, sd.Registered, nil)
			r.Deregister()
			same(t, "registered", 0, len(registry.Instances()))
			wantState(t, r, sd.Withdrawn, nil)
		}
	})
}

// Two announcements would work against each other: the new one begins when the old withdrawal has
// ended, and has the last word.
func TestRegisterAgainWhileTheWithdrawalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: slowToWithdraw(time.Minute)}
		r := registrar(t, d)
		r.Register()
		d.then(after(10*time.Second, holds))
		r.Deregister()
		same(t, "Register took", 2*time.Second, timed(r.Register))
		d.wantCalls(t, 1, 0)
		wantState(t, r, sd.Registering, nil)
		pass(time.Minute)
		d.wantCalls(t, 2, 0)
		wantState(t, r, sd.Registering, nil) // the end of the old one does not count
		pass(10 * time.Second)
		wantState(t, r, sd.Registered, nil)
		same(t, "calls at once", 1, d.together)
	})
}

// Changing one's mind while the old withdrawal hangs leaves nothing registered.
func TestLastWordWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{announce: slowToWithdraw(time.Minute)}
		r := registrar(t, d)
		r.Register()
		r.Deregister()
		d.then(holds)
		for range 3 {
			r.Register()
			r.Deregister()
		}
		pass(time.Hour)
		d.wantCalls(t, 1, 3)
		wantState(t, r, sd.Withdrawn, nil)
		same(t, "calls at once", 1, d.together)
	})
}

// Any number of callers may pull both ways.
func TestRegistrarIsConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		b := registry.Open()
		defer b.Close()
		r := registrar(t, b)
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				for k := range 20 {
					if (n+k)%2 == 0 {
						r.Register()
					} else {
						r.Deregister()
					}
					r.State()
				}
			})
		}
		wg.Wait()
		r.Register()
		synctest.Wait()
		same(t, "registered", []string{alice}, registry.Instances())
		r.Deregister()
		same(t, "registered", 0, len(registry.Instances()))
	})
}

// An entry that was deleted by somebody comes back; one of somebody else's is waited for and never
// touched.
func TestRegistrarOnARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		b := registry.Open()
		defer b.Close()
		r := registrar(t, b)
		r.Register()
		for range 10 {
			registry.Expire(alice)
			pass(time.Second)
			same(t, "registered", []string{alice}, registry.Instances())
			wantState(t, r, sd.Registered, nil)
		}
		registry.Put(alice)
		pass(time.Minute)
		wantState(t, r, sd.Conflict, sd.ErrConflict)
		r.Deregister()
		same(t, "registered", []string{alice}, registry.Instances())
	})
}

func TestRegistrarOfNoInstance(t *testing.T) {
	for _, s := range []string{"", "localhost:8897", "0.0.0.0:8897", "192.0.2.1:0"} {
		r, err := sd.NewRegistrar(&desk{}, s, kitlog.NewNopLogger())
		if err == nil || r != nil {
			t.Errorf("%q: want it refused, have %v, %v", s, r, err)
		}
		same(t, "error of "+s, fmt.Sprint(sd.CheckInstance(s)), fmt.Sprint(err))
	}
}
