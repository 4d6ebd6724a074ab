package zk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
)

const audited = 37 * time.Second // auditInterval, a fifth, and a little

// remake deletes the directory with all that is in it, and makes another, whose policy has a
// version of 1 if there is one: the version that the first policy of the old directory had.
func (w *world) remake(document string) {
	names, _ := w.Children("/go_servers")
	for _, name := range names {
		w.Delete("/go_servers/" + name)
	}
	w.Delete("/go_servers")
	w.Create("/go_servers", nil, 0)
	if document != "" {
		w.SetData("/go_servers", []byte(document))
	}
}

// The version of a policy counts within one directory. A registrar that missed the end of the old
// one follows the policy of the new one, though both have the same version.
func TestPolicyOfAnotherDirectory(t *testing.T) {
	for _, mode := range []string{"auto", "children"} {
		inWorld(t, "zk://zookeeper.example.com?watch="+mode, func(w *world) {
			w.SetData("/go_servers", []byte(drainBob))
			r := w.register(w.open(), alice)
			w.phase(r.State, time.Second, sd.Registered)
			w.ForgetWatches()
			w.remake(withdrawAlice)
			w.phase(r.State, 2*audited, sd.Withheld)
			w.registered(time.Second)
		})
	}
}

// A policy ends with its directory, also if the registrar was not told of that end.
func TestPolicyEndsWithItsDirectory(t *testing.T) {
	for _, mode := range []string{"auto", "children"} {
		inWorld(t, "zk://zookeeper.example.com?watch="+mode, func(w *world) {
			w.SetData("/go_servers", []byte(withdrawAlice))
			r := w.register(w.open(), alice)
			w.phase(r.State, time.Second, sd.Withheld)
			w.ForgetWatches()
			w.Delete("/go_servers")
			w.phase(r.State, audited, sd.Registered)
			w.registered(time.Second, alice)
		})
	}
}

// Of a directory that is made again between a change of its children and the list for that, no
// event tells where lists are all that does: the policy that comes with the list is that of the new
// one.
func TestListOfAnotherDirectoryHasItsPolicy(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com?watch=children", func(w *world) {
		s := newShared(w.t, w.memory)
		s.watch()
		w.SetData("/go_servers", []byte(drainBob)) // version 1
		s.shows(drainBob)
		w.Slow(50 * time.Millisecond)
		w.SetData("/go_servers", nil)
		w.Create("/go_servers/"+carol, nil, 0)
		w.remake(withdrawAlice)
		w.Create("/go_servers/"+bob, nil, 0)
		s.shows(withdrawAlice, bob)
	})
}

// A registrar that was denied the directory's data follows the policy once it may read it: an ACL
// changes, and no event tells of that.
func TestDeniedPolicyIsReadAgain(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.FailAll(zkdev.OpGetData, zkdev.NoAuth)
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.Expire() // and the next session does not wait for that
		w.registered(2*time.Second, alice)
		w.SetData("/go_servers", []byte(withdrawAlice))
		time.Sleep(audited)
		w.phase(r.State, 0, sd.Registered)
		w.FailAll(zkdev.OpGetData, zkdev.OK)
		w.phase(r.State, audited, sd.Withheld)
	})
}

// A registrar that has nothing to register does not read what is written meanwhile. It does before
// it registers again, however soon that is.
func TestPolicyOfMeanwhileIsRead(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		v := w.view(w.open())
		w.shows(v, time.Second, alice)
		for _, pause := range []time.Duration{time.Millisecond, time.Minute} {
			r.Deregister()
			w.shows(v, time.Second)
			emits := v.Emits()
			w.SetData("/go_servers", []byte(withdrawAlice))
			wait.Pass(pause)
			r.Register()
			w.phase(r.State, 200*time.Millisecond, sd.Withheld)
			if have := v.Emits(); have != emits {
				t.Errorf("withheld after %v: want nothing to come up, have %d changes", pause, have-emits)
			}
			r.Deregister()
			w.SetData("/go_servers", nil)
			wait.Pass(pause)
			r.Register()
			w.phase(r.State, 200*time.Millisecond, sd.Registered)
		}
	})
}

// What a server fails is no repair, of which there are three a minute: data that another tool has
// written is written again as soon as the server can.
func TestFailedRepairsDoNotCount(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpSetData, zkdev.SessionMoved)
		w.SetData("/go_servers/"+alice, []byte("another tool's"))
		time.Sleep(5 * time.Second)
		w.FailAll(zkdev.OpSetData, zkdev.OK)
		w.eventually(2*time.Second, func() error {
			data, _, err := w.Get("/go_servers/" + alice)
			if err == nil && !strings.Contains(string(data), alice) {
				err = fmt.Errorf("want the server's document, have %q", data)
			}
			return err
		})
	})
}

// A server that is killed, and started again while a line withdraws it, takes its predecessor's
// node away, and to watchers that is a withdrawal. A stranger's it leaves alone.
func TestWithheldTakesItsStaleNodeAway(t *testing.T) {
	for name, c := range map[string]struct {
		stale, gone bool
	}{
		"a predecessor's": {true, true},
		"a stranger's":    {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				if c.stale {
					w.stale(alice)
				} else if err := w.Create("/go_servers/"+alice, []byte("a stranger's"), 0x1234); err != nil {
					t.Fatal(err)
				}
				d := w.observe(w.open())
				wait.Pass(2 * time.Second)
				w.SetData("/go_servers", []byte(withdrawAlice))
				r := w.register(w.open(), alice)
				w.phase(r.State, time.Second, sd.Withheld)
				var withdrew, stays []string
				if c.gone {
					withdrew = []string{alice}
				} else {
					stays = []string{alice}
				}
				w.registered(0, stays...)
				w.eventually(time.Second, func() error { return d.are(nil, withdrew) })
				wait.Pass(time.Minute)
				w.registered(0, stays...)
			})
		})
	}
}

// The same on a real server, with a process that is cut off for good.
func TestWithheldTakesItsStaleNodeAwayOnZooKeeper(t *testing.T) {
	server := zktest.Start(t)
	p := newProcess(t, server, "/killed", "?session-timeout=20s")
	open := func(target sd.Target) *zk.Backend {
		b, err := zk.OpenBackend(target)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	killed := open(p.target)
	r := sdtest.Register(t, killed, alice)
	sdtest.Eventually(t, 10*time.Second, func() error { return sdtest.Phase(r.State, sd.Registered) })
	others := open(sdtest.Target(t, "zk://"+server.Addr()+p.path))
	d := departures{sdtest.NewRecorder()}
	t.Cleanup(d.watch(others))
	sdtest.Eventually(t, 10*time.Second, func() error { return d.are(nil, nil) })
	p.Fail()
	killed.Close()
	if err := others.WritePolicy(t.Context(), withdrawAlice, 0); err != nil {
		t.Fatal(err)
	}
	p.Restore()
	r = sdtest.Register(t, open(p.target), alice)
	sdtest.Eventually(t, 10*time.Second, func() error { return sdtest.Phase(r.State, sd.Withheld) })
	sdtest.Eventually(t, 5*time.Second, func() error { return d.are(nil, []string{alice}) })
	if have, err := p.Instances(); len(have) != 0 || err != nil {
		t.Errorf("registered: want nothing, have %q, %v", have, err)
	}
}
