package zk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zkdev"
)

const anywhere = "zk://zookeeper.example.com?session-timeout=4s"

// A process that died leaves its node behind until its session ends. The next one takes the node
// over at once, and nobody sees a gap: not when it does, and not when the old session ends.
func TestStaleNodeIsTakenOver(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.stale(alice)
		v := w.view(w.open())
		w.shows(v, time.Second, alice)
		old := w.owner(alice)
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		if w.owner(alice) == old {
			t.Fatal("owner: want a new session, have the old one")
		}
		w.Expire(old) // of which nothing is left
		for range 1000 {
			wait.Pass(10 * time.Millisecond)
			w.registered(0, alice)
		}
		if v.Smallest() != 1 {
			t.Errorf("smallest set shown: want 1, have %d", v.Smallest())
		}
	})
}

// stale leaves the node of a process of this host that died: its session goes on, and nobody talks
// for it.
func (w *world) stale(instance string) {
	w.t.Helper()
	b := w.open()
	w.phase(w.register(b, instance).State, time.Second, sd.Registered)
	data, _, err := w.Get("/go_servers/" + instance)
	if err != nil {
		w.t.Fatal(err)
	}
	b.Close()
	w.Delete("/go_servers/" + instance) // if the goodbye was lost
	if err := w.Create("/go_servers/"+instance, data, 0x1234); err != nil {
		w.t.Fatal(err)
	}
}

// An expired session's node is still there when the process has its next session: it is replaced,
// whatever the order.
func TestOwnStaleNodeIsReplaced(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		old := w.owner(alice)
		w.HoldEphemerals()
		w.Expire(old)
		w.eventually(5*time.Second, func() error {
			if w.owner(alice) == old {
				return errors.New("node still belongs to the expired session")
			}
			return nil
		})
		w.ReleaseEphemerals()
		wait.Pass(10 * time.Second)
		w.registered(0, alice)
	})
}

// A node without our identity is somebody's, even if it is empty or not JSON.
func TestForeignNodeIsNotTouched(t *testing.T) {
	for name, data := range map[string]string{
		"empty":         "",
		"text":          "hello",
		"other host":    `{"host":"another","address":"192.0.2.1:8897"}`,
		"no host":       `{"host":"","address":"192.0.2.1:8897"}`,
		"other address": `{"address":"192.0.2.9:8897"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				if err := w.Create("/go_servers/"+alice, []byte(data), 0x1234); err != nil {
					t.Fatal(err)
				}
				zxid := w.Zxid()
				r := w.register(w.open(), alice)
				w.phase(r.State, time.Second, sd.Conflict)
				wait.Pass(10 * time.Second)
				if owner := w.owner(alice); owner != 0x1234 {
					t.Errorf("owner: want the foreign one, have 0x%x", owner)
				}
				if have := w.Zxid(); have != zxid+1 {
					t.Errorf("zxid: want %d, for our session, have %d", zxid+1, have)
				}
				w.Delete("/go_servers/" + alice)
				w.phase(r.State, 2*time.Second, sd.Registered)
			})
		})
	}
}

// Two processes with one address do not tear the node from each other for ever.
func TestTakeoversAreLimited(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r1 := w.register(w.open(), alice)
		r2 := w.register(w.open(), alice)
		w.eventually(time.Minute, func() error {
			if r1.State().Phase != sd.Conflict && r2.State().Phase != sd.Conflict {
				return fmt.Errorf("states: want a conflict, have %v and %v", r1.State(), r2.State())
			}
			return nil
		})
		owner := w.owner(alice)
		wait.Pass(20 * time.Second)
		if w.owner(alice) != owner {
			t.Error("owner: want one that stays, have another")
		}
	})
}

// A connection that comes back within the session costs no write and makes no event.
func TestReconnectWritesNothing(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		v := w.view(b)
		w.shows(v, time.Second, alice)
		w.phase(r.State, time.Second, sd.Registered)
		zxid, updates := w.Zxid(), v.Emits()
		for range 100 {
			w.Disconnect()
			wait.Pass(5 * time.Second)
			w.phase(v.State, 0, sd.Live)
			w.phase(r.State, 0, sd.Registered)
		}
		if have := w.Zxid(); have != zxid {
			t.Errorf("zxid: want %d, have %d", zxid, have)
		}
		if v.Emits() != updates {
			t.Errorf("updates: want %d, have %d", updates, v.Emits())
		}
	})
}

// An operator deletes the node, or the whole directory.
func TestDeletedNodeComesBack(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		w.register(b, alice)
		for range 5 {
			w.registered(time.Second, alice)
			w.Delete("/go_servers/" + alice)
		}
		w.registered(time.Second, alice)
		w.Delete("/go_servers/" + alice)
		w.Delete("/go_servers")
		w.registered(time.Second, alice)
	})
}

// Whichever reply gets lost, the node ends where it should be.
func TestLostReplies(t *testing.T) {
	for _, op := range []zkdev.Op{zkdev.OpCreate, zkdev.OpMulti, zkdev.OpSetData, zkdev.OpDelete, zkdev.OpExists, zkdev.OpAddWatch} {
		t.Run(fmt.Sprint(op), func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				w.stale(bob)
				w.DropReply(op)
				b := w.open()
				r1, r2 := w.register(b, alice), w.register(b, bob)
				w.phase(r1.State, 10*time.Second, sd.Registered)
				w.phase(r2.State, 10*time.Second, sd.Registered)
				wait.Pass(10 * time.Second)
				w.registered(0, alice, bob)
				w.DropReply(op)
				r1.Deregister()
				r2.Deregister()
				w.registered(10 * time.Second)
				wait.Pass(time.Minute)
				w.registered(0)
			})
		})
	}
}

// A connection that is cut after any number of bytes leaves no damage.
func TestCutAnywhere(t *testing.T) {
	for n := 0; n < 1200; n += 7 {
		inWorld(t, anywhere, func(w *world) {
			if n%2 == 0 {
				w.CutAfterWriting(n)
			} else {
				w.CutAfterReading(n)
			}
			b := w.open()
			v := w.view(b)
			w.stale(bob)
			r1, r2 := w.register(b, alice), w.register(b, bob)
			w.phase(r1.State, 15*time.Second, sd.Registered)
			w.phase(r2.State, 15*time.Second, sd.Registered)
			w.shows(v, 10*time.Second, alice, bob)
			r1.Deregister()
			w.shows(v, 10*time.Second, bob)
			wait.Pass(10 * time.Second)
			w.registered(0, bob)
		})
		if t.Failed() {
			t.Fatalf("cut after %d bytes", n)
		}
	}
}

// Deregister while ZooKeeper cannot be reached: the node is removed at the first contact, and never
// comes back.
func TestWithdrawnAtFirstContact(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.Fail()
		start := time.Now()
		r.Deregister()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("Deregister took %v, want 2s at most", took)
		}
		if err := r.State().Err; r.State().Phase == sd.Withdrawn && !errors.Is(err, sd.ErrUnconfirmed) {
			t.Errorf("state: want unconfirmed, have %v", r.State())
		}
		w.Restore()
		w.registered(3 * time.Second)
		wait.Pass(time.Minute)
		w.registered(0)
	})
}

// A server that hands out a new session without a word is found out.
func TestSessionReplacedSilently(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		v := w.view(b)
		w.shows(v, time.Second, alice)
		w.Replace()
		w.eventually(5*time.Second, func() error {
			if s := r.State(); s.Phase != sd.Registered || time.Since(s.Since) > 6*time.Second {
				return fmt.Errorf("state: %v", s)
			}
			return sdtest.Same("registered", []string{alice}, first(w.Children("/go_servers")))
		})
		w.shows(v, 5*time.Second, alice)
	})
}

func first(names []string, _ error) []string { return names }

// Credentials or permissions that are missing are reported, and retried slowly.
func TestDenied(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		for range 100 {
			w.FailNext(zkdev.OpCreate, zkdev.NoAuth)
		}
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registering)
		if err := r.State().Err; !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), "/go_servers/"+alice) {
			t.Errorf("error: want %v that names the node, have %v", sd.ErrDenied, err)
		}
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpCreate); n > 25 {
			t.Errorf("creates in 5 minutes: want 25 at most, have %d", n)
		}
	})
}

// When every session of a large fleet has expired, its servers do not all register again in the
// same moment. A small fleet does.
func TestMassExpiryIsSpread(t *testing.T) {
	for _, test := range []struct {
		others      int
		least, most time.Duration // for the last of 20
	}{
		{900, 0, 2500 * time.Millisecond},
		{30000, 2500 * time.Millisecond, 6 * time.Second},
	} {
		t.Run(fmt.Sprint(test.others), func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				other := func(n int) string {
					return fmt.Sprintf("/go_servers/192.0.%d.%d:%d", 3+n/10000, n/100%100, 1000+n%100)
				}
				for n := range test.others {
					w.Create(other(n), nil, 0)
				}
				var regs []*sd.Registrar
				for n := range 20 {
					regs = append(regs, w.register(w.open(), fmt.Sprintf("192.0.2.1:%d", 1000+n)))
				}
				wait.Pass(time.Second)
				for n := range test.others { // whose sessions have expired as well
					w.Delete(other(n))
				}
				w.Expire()
				start := time.Now()
				wait.Pass(1200 * time.Millisecond) // until all have heard of it
				for _, r := range regs {
					w.phase(r.State, 10*time.Second, sd.Registered)
				}
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("all registered again after %v, want %v to %v", took, test.least, test.most)
				}
			})
		})
	}
}

// That attributes change now and then does not put off that a server which is cut off knows it.
func TestLostWhileAttributesChange(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.Refuse(true)
		w.Disconnect()
		ctx, cancel := context.WithCancel(w.t.Context())
		var changing sync.WaitGroup
		defer changing.Wait()
		defer cancel()
		changing.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				r.SetAttributes(weighing(n % 1000))
				time.Sleep(700 * time.Millisecond)
			}
		})
		w.phase(r.State, 30*time.Second, sd.Lost)
	})
}
