package sd_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// An announcement is what Announce of a Backend does for one instance.
type announcement func(ctx context.Context, up func()) error

// holds is the announcement that succeeds.
func holds(ctx context.Context, up func()) error {
	if ctx.Err() == nil {
		up()
	}
	<-ctx.Done()
	return ctx.Err()
}

// hangs never gets an answer.
func hangs(ctx context.Context, _ func()) error { return holds(ctx, func() {}) }

// fails returns err unless there is nothing to do but to withdraw.
func fails(err error) announcement {
	return func(ctx context.Context, _ func()) error { return errors.Join(ctx.Err(), err) }
}

// after delays an announcement.
func after(d time.Duration, a announcement) announcement {
	return func(ctx context.Context, up func()) error {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
		return a(ctx, up)
	}
}

// hears is an announcement that holds until it hears an error.
func hears(lost <-chan error) announcement {
	return func(ctx context.Context, up func()) error {
		if ctx.Err() == nil {
			up()
		}
		select {
		case err := <-lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// slowToWithdraw holds, and takes its time to let go.
func slowToWithdraw(d time.Duration) announcement {
	return func(ctx context.Context, up func()) error {
		defer time.Sleep(d)
		return holds(ctx, up)
	}
}

// A desk is a Backend for one Registrar. It does what the test says and notes every call.
type desk struct {
	sd.Backend // nil: nothing else is called

	mu       sync.Mutex
	announce announcement
	calls    []call
	open     int // calls under way
	together int // most calls that were under way at once
}

// A call of Announce.
type call struct {
	at   time.Time
	live bool // its ctx was not done
}

func (d *desk) Announce(ctx context.Context, _ sd.Entry, told func(sd.Status)) error {
	d.mu.Lock()
	d.calls = append(d.calls, call{time.Now(), ctx.Err() == nil})
	d.open++
	d.together = max(d.together, d.open)
	announce := d.announce
	d.mu.Unlock()
	defer func() { d.mu.Lock(); d.open--; d.mu.Unlock() }()
	return announce(ctx, func() { told(sd.Status{Phase: sd.Registered}) })
}

// then says what the next call of Announce does.
func (d *desk) then(a announcement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.announce = a
}

// count returns how many calls there were with a live ctx, and how many were only to withdraw.
func (d *desk) count() (live, done int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if c.live {
			live++
		} else {
			done++
		}
	}
	return live, done
}

// wantCalls checks count.
func (d *desk) wantCalls(t *testing.T, live, done int) {
	t.Helper()
	haveLive, haveDone := d.count()
	same(t, "calls of Announce (live, done)", [2]int{live, done}, [2]int{haveLive, haveDone})
}

// registrar returns a Registrar of alice. The end of the test withdraws it.
func registrar(t *testing.T, b sd.Backend) *sd.Registrar {
	r, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Deregister)
	return r
}

// wantState checks the phase and the error of r.
func wantState(t *testing.T, r *sd.Registrar, p sd.Phase, err error) {
	t.Helper()
	if have := r.State(); have.Phase != p || !errors.Is(have.Err, err) {
		t.Errorf("state: want %s with %v, have %v", p, err, have)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
