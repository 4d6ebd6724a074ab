package sdtest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/sdtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A wrong backend is the one in memory with one rule broken, as real libraries
// break it. A function that is nil is the right one.
type wrong struct {
	*mem.Backend
	registry *mem.Registry
	over     chan struct{} // closed at the end of the test
	watch    func(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error
	announce func(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error
	forAll   bool // see closesForAll
}

func (w *wrong) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	if w.watch == nil {
		return w.Backend.Watch(ctx, want, emit)
	}
	return w.watch(w, ctx, want, emit)
}

func (w *wrong) Announce(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	if w.announce == nil {
		return w.Backend.Announce(ctx, entry, told)
	}
	return w.announce(w, ctx, entry, told)
}

// wrongHarness opens wrong backends.
type wrongHarness struct {
	registry *mem.Registry
	model    wrong
}

func (h *wrongHarness) Open() (sd.Backend, error) {
	w := h.model
	w.Backend, w.registry = h.registry.Open(), h.registry
	if w.forAll {
		return closesForAll{&w}, nil
	}
	return &w, nil
}
func (h *wrongHarness) Put(s string) error           { h.registry.Put(s); return nil }
func (h *wrongHarness) Remove(s string) error        { h.registry.Expire(s); return nil }
func (h *wrongHarness) Instances() ([]string, error) { return h.registry.Instances(), nil }
func (h *wrongHarness) Fail() error                  { h.registry.Fail(errors.New("on demand")); return nil }
func (h *wrongHarness) Restore() error               { h.registry.Fail(nil); return nil }
func (h *wrongHarness) Settle()                      { synctest.Wait() }

// noOwnerCheck takes an existing entry for its own, and deletes it in the end.
func noOwnerCheck(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	err := w.Backend.Announce(ctx, entry, told)
	if errors.Is(err, sd.ErrConflict) {
		told(sd.Status{Phase: sd.Registered})
		<-ctx.Done()
		w.registry.Expire(entry.Instance)
		return ctx.Err()
	}
	return err
}

// neverWithdraws leaves the entry to the end of the session.
func neverWithdraws(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	if ctx.Err() == nil {
		return w.Backend.Announce(ctx, entry, func(s sd.Status) {
			w.registry.Put(entry.Instance) // whoever looks is told that it is another's
			told(s)
		})
	}
	return ctx.Err()
}

// blindToLoss believes for ever in what it once created.
func blindToLoss(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	err := w.Backend.Announce(ctx, entry, told)
	if ctx.Err() == nil {
		<-ctx.Done()
	}
	return errors.Join(err, ctx.Err())
}

// noRetry waits for an event that will never come once a read has failed.
func noRetry(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	if err := w.Backend.Watch(ctx, want, emit); ctx.Err() != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// listBeforeArm misses what happens between its list and its watch.
func listBeforeArm(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	emit(sd.Change{Reset: true, Up: w.registry.Instances()})
	time.Sleep(5 * time.Millisecond)
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		if !c.Reset {
			emit(c)
		}
	})
}

// emptyOnLoss takes a failed read for an empty directory.
func emptyOnLoss(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	err := w.Backend.Watch(ctx, want, emit)
	if ctx.Err() == nil {
		emit(sd.Change{Reset: true})
	}
	return err
}

// emitsLate has an event in its pocket when it returns.
func emitsLate(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	err := w.Backend.Watch(ctx, want, emit)
	go func() {
		time.Sleep(10 * time.Millisecond)
		emit(sd.Change{Up: []string{"192.0.2.99:1"}})
	}()
	return err
}

// leaks leaves a goroutine behind for each call.
func leaks(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	go func() { <-w.over }()
	return w.Backend.Watch(ctx, want, emit)
}

// partialReset publishes what it has read so far.
func partialReset(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		if c.Reset && len(c.Up) > 1 {
			emit(sd.Change{Reset: true, Up: c.Up[:1]})
			c = sd.Change{Up: c.Up[1:]}
		}
		emit(c)
	})
}

// emptyWhenUnread takes a first read that fails for an empty directory.
func emptyWhenUnread(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	told := false
	err := w.Backend.Watch(ctx, want, func(c sd.Change) { told = true; emit(c) })
	if ctx.Err() == nil && !told {
		emit(sd.Change{Reset: true})
	}
	return err
}

// forgetsWithdrawals says that a withdrawal is not confirmed, and leaves it at that.
func forgetsWithdrawals(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	held := make(chan struct{})
	err := w.Backend.Announce(context.WithoutCancel(ctx), entry,
		func(s sd.Status) { told(s); close(held) })
	select {
	case <-held: // and lost, or the registry has failed
	default:
		return err
	}
	<-ctx.Done()
	return errors.Join(ctx.Err(), sd.ErrUnconfirmed)
}

// closesForAll ends everybody's registrations with its own.
type closesForAll struct{ *wrong }

func (c closesForAll) Close() error {
	err := c.wrong.Backend.Close()
	for _, instance := range c.registry.Instances() {
		c.registry.Expire(instance)
	}
	return err
}

// emitsTwiceAtOnce has two goroutines that emit.
func emitsTwiceAtOnce(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { emit(sd.Change{Reset: true, Up: c.Up}) })
		}
		both.Wait()
	})
}

// goesAndComes tells of each arrival as of a gap that is over.
func goesAndComes(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		emit(c)
		if !c.Reset && len(c.Up) > 0 {
			emit(sd.Change{Down: c.Up, Up: c.Up})
		}
	})
}

// reusesSlices emits the same array again and again.
func reusesSlices(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	up := make([]string, 0, 100)
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		up = append(up[:0], c.Up...)
		emit(sd.Change{Reset: c.Reset, Up: up, Down: c.Down})
	})
}

// upTwice tells each registration twice.
func upTwice(w *wrong, ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	return w.Backend.Announce(ctx, entry, func(s sd.Status) { told(s); told(s) })
}

// neverWithdrew takes every departure for a loss, as a watch on names alone must.
func neverWithdrew(
	w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change),
) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		c.Withdrew = nil
		emit(c)
	})
}

// alwaysWithdrew takes every departure for a withdrawal.
func alwaysWithdrew(
	w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change),
) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		c.Withdrew = c.Down
		emit(c)
	})
}

// neverForgets remembers who withdrew once.
func neverForgets(
	w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change),
) error {
	once := map[string]bool{}
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		for _, s := range c.Withdrew {
			once[s] = true
		}
		c.Withdrew = nil
		for _, s := range c.Down {
			if once[s] {
				c.Withdrew = append(c.Withdrew, s)
			}
		}
		emit(c)
	})
}

// repeatsWithdrawals tells of those who withdrew in every later change.
func repeatsWithdrawals(
	w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change),
) error {
	var all []string
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		all = append(all, c.Withdrew...)
		c.Withdrew = slices.Clone(all)
		emit(c)
	})
}

// withdrewInReset says of a whole set who withdrew before it.
func withdrewInReset(
	w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change),
) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		if c.Reset {
			c.Withdrew = []string{"192.0.2.9:1"}
		}
		emit(c)
	})
}

// The suite finds every wrong backend, and in the case that is meant for it.
func TestWrongBackendsFail(t *testing.T) {
	for name, test := range map[string]struct {
		model  wrong
		failed string
	}{
		"no owner check":             {wrong{announce: noOwnerCheck}, "ForeignEntryStays"},
		"never withdraws":            {wrong{announce: neverWithdraws}, "AnnounceAndWithdraw"},
		"blind to loss":              {wrong{announce: blindToLoss}, "LossIsReported"},
		"no retry after failed read": {wrong{watch: noRetry}, "WatchedAfterFailure"},
		"list before arm":            {wrong{watch: listBeforeArm}, "ArmedBeforeRead"},
		"empty published on loss":    {wrong{watch: emptyOnLoss}, "KeptThroughFailure"},
		"emit after return":          {wrong{watch: emitsLate}, "NothingAfterReturn"},
		"leaked goroutine":           {wrong{watch: leaks}, "WatchLeavesNoGoroutine"},
		"partial reset":              {wrong{watch: partialReset}, "FirstEmitIsWholeSet"},
		"empty when unread":          {wrong{watch: emptyWhenUnread}, "UnknownIsNotEmpty"},
		"two emits at once":          {wrong{watch: emitsTwiceAtOnce}, "FirstEmitIsWholeSet"},
		"down and up in one":         {wrong{watch: goesAndComes}, "DifferencesAreExact"},
		"slices used again":          {wrong{watch: reusesSlices}, "DifferencesAreExact"},
		"forgets a withdrawal": {wrong{announce: forgetsWithdrawals},
			"WithdrawnAtFirstContact"},
		"up twice":                  {wrong{announce: upTwice}, "AnnounceAndWithdraw"},
		"Close for all":             {wrong{forAll: true}, "CloseEndsCalls"},
		"never withdrew":            {wrong{watch: neverWithdrew}, "WithdrawalIsToldAsOne"},
		"never deregistered":        {wrong{watch: neverWithdrew}, "DeregisteredWithdrew"},
		"always withdrew":           {wrong{watch: alwaysWithdrew}, "LossIsNoWithdrawal"},
		"never forgets withdrawals": {wrong{watch: neverForgets}, "LastDepartureCounts"},
		"withdrew without leaving":  {wrong{watch: repeatsWithdrawals}, "WithdrawalIsToldAsOne"},
		"withdrew in a Reset":       {wrong{watch: withdrewInReset}, "FirstEmitIsWholeSet"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.model.over = make(chan struct{})
				defer close(test.model.over)
				h := &wrongHarness{registry: mem.NewRegistry(), model: test.model}
				err := check(t, test.failed, h)
				if err == nil {
					t.Fatalf("%s: want a failure, have none", test.failed)
				}
				t.Log(err)
			})
		})
	}
}

// check runs one case by its name.
func check(t *testing.T, name string, h sdtest.Harness) error {
	for _, c := range sdtest.Cases() {
		if c.Name == name {
			return c.Check(t.Context(), h)
		}
	}
	t.Fatalf("no case is named %s", name)
	return nil
}

// A limited harness is spared the cases about what its backend lacks, and no others.
func TestLimitedHarness(t *testing.T) {
	skipped := 0
	for _, c := range sdtest.Cases() {
		h := &wrongHarness{registry: mem.NewRegistry()}
		if c.Skips(h) {
			t.Errorf("%s: want it run on a harness that lacks nothing", c.Name)
		}
		if c.Skips(limited{h}) {
			skipped++
			t.Log(c.Name, "is left out:", c.Rule)
		}
	}
	if skipped != 2 {
		t.Errorf("cases left out: want 2, have %d", skipped)
	}
}

// A limited harness has a backend to which every departure is in doubt.
type limited struct{ sdtest.Harness }

func (limited) Lacks() sdtest.Lacks { return sdtest.Lacks{Withdrew: true} }
