package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
)

// An audit that comes before the event of a change is no sign of one that was missed; a change
// whose event does not come is.
func TestAuditBeforeItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d, on := connected(t, Config{Parent: parent, Mode: Children})
		f := d.newFollower(on, sd.Want{}, func(sd.Change) {})
		f.queue = f.dir.subscribe(on)
		if err := f.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Create(parent+"/"+alice, nil, 0)
		synctest.Wait() // its event is queued
		if again, err := f.audit(); !again || err != nil || f.dir.repaired.Load() != 0 {
			t.Errorf("want another list and nothing repaired, have %t, %v, %d", again, err, f.dir.repaired.Load())
		}
		if err := f.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.ForgetWatches()
		l.Create(parent+"/"+bob, nil, 0)
		synctest.Wait()
		if _, err := f.audit(); err != errMissed || f.dir.repaired.Load() != 1 {
			t.Errorf("want %v, counted, have %v, %d", errMissed, err, f.dir.repaired.Load())
		}
	})
}

// What an audit finds in the queue is taken in by it: also that the policy has changed, where the
// one-shot watch that told so does not tell again.
func TestAuditTakesInAPolicyEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d, on := connected(t, Config{Parent: parent, Mode: Children})
		f := d.newFollower(on, sd.Want{Policy: true}, func(sd.Change) {})
		f.queue = f.dir.subscribe(on)
		if err := f.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.SetData(parent, []byte("#daytime-policy 1\ndrain *\n"))
		synctest.Wait() // its event is queued
		if again, err := f.audit(); again || err != nil || !f.policy.Outdated() {
			t.Errorf("want the policy to be read, have %t, %v, outdated %t", again, err, f.policy.Outdated())
		}
	})
}

// Where lists are all that tells of changes, data that changes is seen by audits, however often the
// list changes.
func TestAuditsAreNotPutOffByLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d, _ := connected(t, Config{Parent: parent, Mode: Children})
		l.Create(parent+"/"+alice, nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Bool
		var watching sync.WaitGroup
		defer watching.Wait()
		defer cancel()
		watching.Go(func() {
			d.Watch(ctx, sd.Want{Attributes: true}, func(c sd.Change) {
				if c.Attributes[alice].Zone == "eu-1a" {
					seen.Store(true)
				}
			})
		})
		time.Sleep(time.Second)
		l.SetData(parent+"/"+alice, []byte(`{"zone":"eu-1a"}`))
		for range 10 {
			l.Create(parent+"/"+bob, nil, 0)
			time.Sleep(5 * time.Second)
			l.Delete(parent + "/" + bob)
			time.Sleep(5 * time.Second)
		}
		if !seen.Load() {
			t.Error("want the zone seen within 36 s, have nothing after 100 s")
		}
	})
}
