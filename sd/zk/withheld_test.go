package zk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

// A server that the policy withholds never appears: not when its session has expired, nor when it
// was cut off meanwhile, nor when it is started again; and it is back when the line is lifted.
func TestWithheldNeverAppears(t *testing.T) {
	for name, happens := range map[string]func(w *world){
		"session expired": func(w *world) { w.Expire() },
		"cut off":         func(w *world) { w.Disconnect() },
		"restart":         func(w *world) { w.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				r := w.register(w.open(), alice)
				w.phase(r.State, time.Second, sd.Registered)
				w.SetData("/go_servers", []byte(withdrawAlice))
				w.phase(r.State, 200*time.Millisecond, sd.Withheld)
				v := w.view(w.open())
				w.shows(v, time.Second)
				happens(w)
				wait.Pass(time.Minute)
				if err := errors.Join(v.Err(), sdtest.Phase(r.State, sd.Withheld)); err != nil {
					t.Error(err)
				}
				if up := ups(v); up != 0 {
					t.Errorf("withheld: want nothing to come up, have %d", up)
				}
				w.SetData("/go_servers", nil)
				w.phase(r.State, time.Second, sd.Registered)
				w.shows(v, time.Second, alice)
			})
		})
	}
}

// ups says how many instances v shows, or has lost.
func ups(v *sdtest.Viewer) int {
	names, _ := v.Set()
	withdrew, lost := v.Left()
	return len(names) + len(withdrew) + len(lost)
}

// A policy that was written, or lifted, while the server was cut off holds at first contact.
func TestPolicyChangesWhileCutOff(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		for range 2 {
			w.Fail()
			w.SetData("/go_servers", []byte(withdrawAlice))
			w.Restore()
			w.phase(r.State, 3*time.Second, sd.Withheld)
			w.registered(time.Second)
			w.Fail()
			w.SetData("/go_servers", nil)
			wait.Pass(time.Minute)
			w.Restore()
			w.phase(r.State, 3*time.Second, sd.Registered)
			w.registered(time.Second, alice)
		}
	})
}

// A line that expires withholds no longer, though nobody writes a policy; the end is told as a
// withdrawal, and by which line.
func TestWithheldExpires(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		v := w.view(w.open())
		r := w.register(w.open(), alice)
		w.shows(v, time.Second, alice)
		until := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Second)
		w.SetData("/go_servers", fmt.Appendf(nil, "%s\nwithdraw %s until=%s\n", policy.Header, alice,
			until.Format(time.RFC3339)))
		w.phase(r.State, 200*time.Millisecond, sd.Withheld)
		w.shows(v, time.Second)
		if withdrew, lost := v.Left(); len(withdrew) != 1 || len(lost) != 0 {
			t.Errorf("left: want a withdrawal, have %q and %q", withdrew, lost)
		}
		if err := r.State().Err; err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("why: want line 2, have %v", err)
		}
		wait.Pass(time.Until(until) - time.Second)
		if err := sdtest.Phase(r.State, sd.Withheld); err != nil {
			t.Error(err)
		}
		w.phase(r.State, 2*time.Second, sd.Registered)
	})
}

// A line that is prolonged in the moment in which it expires withholds still: nothing is registered
// while there is a policy that was not read.
func TestWithheldIsProlonged(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		v := w.view(w.open())
		r := w.register(w.open(), alice)
		w.shows(v, time.Second, alice)
		until := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
		w.SetData("/go_servers", fmt.Appendf(nil, "%s\nwithdraw %s until=%s\n", policy.Header, alice,
			until.Format(time.RFC3339)))
		w.phase(r.State, 200*time.Millisecond, sd.Withheld)
		w.shows(v, time.Second)
		emits := v.Emits()
		wait.Pass(time.Until(until) - 10*time.Millisecond)
		w.FailAll(zkdev.OpGetData, zkdev.MarshallingError) // for longer than readers spread
		w.SetData("/go_servers", []byte(withdrawAlice))
		wait.Pass(time.Second)
		w.FailAll(zkdev.OpGetData, zkdev.OK)
		wait.Pass(time.Second)
		if err := sdtest.Phase(r.State, sd.Withheld); err != nil {
			t.Error(err)
		}
		if have := v.Emits(); have != emits {
			t.Errorf("prolonged: want nothing to come up, have %d changes", have-emits)
		}
	})
}

// With policy=off nothing is withheld, and a Watch is told of no policy.
func TestPolicyOff(t *testing.T) {
	inWorld(t, anywhere+"&policy=off", func(w *world) {
		w.SetData("/go_servers", []byte(withdrawAlice))
		s := newShared(w.t, w.memory)
		s.announce()
		s.watch()
		s.shows("", alice)
		w.SetData("/go_servers", []byte(drainBob))
		wait.Pass(time.Minute)
		s.shows("", alice)
		if s.lacking {
			t.Error("lacking: want nothing, have the policy")
		}
	})
}

// No event of another's coming and going reaches a Backend that only announces.
func TestAnnouncerHearsOfNoMember(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		for _, session := range w.Sessions() {
			if session.Watches > 3 { // a persistent one counts twice
				t.Errorf("watches: want those on the node and on the directory's data, have %d", session.Watches)
			}
		}
		before := w.Requests()
		for i := range 20 {
			w.Create(fmt.Sprintf("/go_servers/192.0.2.%d:80", i+10), nil, 0)
		}
		wait.Pass(time.Second)
		if have := w.Requests() - before; have > 0 {
			t.Errorf("requests: want none, have %d", have)
		}
	})
}

// A takeover with other attributes changes those, and the name does not leave.
func TestTakeoverWithOtherAttributes(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		t.Run(mode, func(t *testing.T) { inWorld(t, anywhere+"&watch="+mode, takeOverWithOtherAttributes) })
	}
}

func takeOverWithOtherAttributes(w *world) {
	s := newShared(w.t, w.memory)
	s.watch()
	b := w.open()
	stop := s.in(func(ctx context.Context) {
		b.Announce(ctx, sd.Entry{Instance: alice, Attributes: weighing(5)}, func(sd.Status) {})
	})
	s.saysWeight(alice, 5)
	w.HoldEphemerals() // as after a crash
	w.Expire(w.owner(alice))
	wait.Pass(5 * time.Second) // the first Announce reports the loss
	stop()
	s.recorder.Mark()
	next := w.open()
	defer s.in(func(ctx context.Context) {
		next.Announce(ctx, sd.Entry{Instance: alice, Attributes: weighing(6)}, func(sd.Status) {})
	})()
	s.saysWeight(alice, 6)
	if s.recorder.Smallest() != 1 {
		w.t.Error("the name has left")
	}
}

func weighing(n int) policy.Attributes { return policy.Attributes{Weight: &n} }

// Two operators who write at the same time lose no edit, also into a directory that is missing.
func TestPolicyIsMadeWithTheDirectory(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Delete("/go_servers")
		one, other := w.open(), w.open()
		ctx := context.Background()
		document, version, err := one.ReadPolicy(ctx)
		if document != "" || err != nil {
			t.Fatalf("no directory: want no policy, have %q, %v", document, err)
		}
		if err := one.WritePolicy(ctx, drainBob, version); err != nil {
			t.Fatal(err)
		}
		for _, v := range []int64{version, -1, 7, 1 << 40} {
			if err := other.WritePolicy(ctx, withdrawAlice, v); !errors.Is(err, sd.ErrOutdated) {
				t.Errorf("version %d: want %v, have %v", v, sd.ErrOutdated, err)
			}
		}
		w.Refuse(true)
		w.Disconnect()
		if _, _, err := one.ReadPolicy(ctx); err == nil || errors.Is(err, sd.ErrNoPolicy) {
			t.Errorf("without a session: want why there is none, have %v", err)
		}
	})
}

// On a real server the operator steers and does not register, the registrar registers and does not
// steer, and everybody follows. A denial names the file.
func TestWhoMayRegisterMayNotSteer(t *testing.T) {
	server := zktest.Start(t)
	operator, registrar := "operator:one", "registrar:two"
	p := newProcess(t, server, "/steered", "")
	acl := append(gozk.DigestACL(gozk.PermWrite, "operator", "one"),
		gozk.DigestACL(gozk.PermCreate|gozk.PermDelete, "registrar", "two")...)
	acl = append(acl, gozk.WorldACL(gozk.PermRead)...)
	if _, err := p.conn.SetACL("/steered", acl, -1); err != nil {
		t.Fatal(err)
	}
	as := func(credentials string) (*zk.Backend, string) {
		query := "?acl=open"
		file := ""
		if credentials != "" {
			file = secretFile(t, credentials+"\n")
			query += "&auth-file=" + file
		}
		b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.Addr()+"/steered"+query))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b, file
	}
	byOperator, _ := as(operator)
	registering, file := as(registrar)
	anybody, _ := as("")
	ctx := context.Background()
	if err := byOperator.WritePolicy(ctx, drainBob, 0); err != nil {
		t.Fatalf("operator: %v", err)
	}
	err := registering.WritePolicy(ctx, "", 1)
	if !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), file) {
		t.Errorf("registrar writes a policy: want %v and the file, have %v", sd.ErrDenied, err)
	}
	err = anybody.WritePolicy(ctx, "", 1)
	if !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), "auth-file") {
		t.Errorf("anybody writes a policy: want %v and auth-file, have %v", sd.ErrDenied, err)
	}
	if have, version, err := anybody.ReadPolicy(ctx); have != drainBob || version != 1 || err != nil {
		t.Errorf("anybody reads: want version 1 of the policy, have %d, %q, %v", version, have, err)
	}
	r := sdtest.Register(t, registering, alice)
	sdtest.Eventually(t, 5*time.Second, func() error { return sdtest.Phase(r.State, sd.Registered) })
	denied := sdtest.Register(t, byOperator, bob)
	sdtest.Eventually(t, 5*time.Second, func() error {
		if err := denied.State().Err; !errors.Is(err, sd.ErrDenied) {
			return fmt.Errorf("operator registers: want %v, have %v", sd.ErrDenied, err)
		}
		return nil
	})
	if err := byOperator.WritePolicy(ctx, withdrawAlice, 1); err != nil {
		t.Fatalf("operator: %v", err)
	}
	sdtest.Eventually(t, 5*time.Second, func() error { return sdtest.Phase(r.State, sd.Withheld) })
}

// Attributes that change take a claim and one step, and nothing else is read or written.
func TestAttributesChangeInOneStep(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		changes := make(chan policy.Attributes)
		s := newShared(w.t, w.memory)
		s.watch()
		stop := s.in(func(ctx context.Context) {
			b.Announce(ctx, sd.Entry{Instance: alice, Changes: changes}, func(sd.Status) {})
		})
		defer stop()
		s.shows("", alice)
		s.recorder.Mark()
		sets, multis := w.Requests(zkdev.OpSetData), w.Requests(zkdev.OpMulti)
		for n := range 5 {
			changes <- weighing(n)
			s.saysWeight(alice, n)
		}
		if s.recorder.Smallest() != 1 {
			t.Error("the name has left")
		}
		if have := w.Requests(zkdev.OpSetData) - sets; have != 5 {
			t.Errorf("claims: want 5, have %d", have)
		}
		if have := w.Requests(zkdev.OpMulti) - multis; have != 5 {
			t.Errorf("replacements: want 5, have %d", have)
		}
	})
}

// A replacement that came to nothing after its claim is done again: a claim is no attribute change.
func TestReplacementThatFails(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		s := newShared(w.t, w.memory)
		s.watch()
		b, changes := w.open(), make(chan policy.Attributes)
		stop := s.in(func(ctx context.Context) {
			b.Announce(ctx, sd.Entry{Instance: alice, Changes: changes}, func(sd.Status) {})
		})
		defer stop()
		s.shows("", alice)
		w.FailNext(zkdev.OpMulti, zkdev.RuntimeInconsistency)
		changes <- weighing(7)
		s.saysWeight(alice, 7)
		w.FailNext(zkdev.OpMulti, zkdev.RuntimeInconsistency)
		w.SetData("/go_servers/"+alice, []byte("another tool's"))
		w.eventually(5*time.Second, func() error {
			if data, stat, _ := w.Get("/go_servers/" + alice); stat.Version != 0 {
				return fmt.Errorf("want another node, have %q", data)
			}
			return nil
		})
		s.saysWeight(alice, 7)
	})
}

// Why a node that a predecessor left cannot be removed, though the policy withdraws it, is told, as
// it is when one cannot be created.
func TestWithheldInVainIsTold(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.stale(alice)
		w.SetData("/go_servers", []byte(withdrawAlice))
		w.FailAll(zkdev.OpDelete, zkdev.SystemError)
		r := w.register(w.open(), alice)
		if err := r.State().Err; err == nil || !strings.Contains(err.Error(), "system error") {
			t.Errorf("want the server's answer, have %v", err)
		}
		w.FailAll(zkdev.OpDelete, zkdev.OK)
		w.phase(r.State, 3*time.Second, sd.Withheld)
		w.registered(0)
	})
}
