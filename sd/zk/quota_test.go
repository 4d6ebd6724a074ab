package zk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
)

const quota = -125

// A registered server that may not replace its node, because a quota is used up, says what it has to
// say in the node that it has.
func TestQuotaOnAReplacement(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpMulti, quota)
		writes := w.Requests(zkdev.OpSetData)
		r.SetAttributes(weighing(7))
		w.eventually(2*time.Second, func() error {
			data, _, err := w.Get("/go_servers/" + alice)
			if err == nil && !strings.Contains(string(data), `"weight":7`) {
				err = errors.New("want the weight, have " + string(data))
			}
			return err
		})
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpSetData) - writes; n > 4 {
			t.Errorf("want 4 writes at most, have %d", n)
		}
	})
}

// What a server may not do for want of a quota, it tries every 10 to 30 s, in whatever state it is.
func TestQuotaOnARegisteredNode(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpSetData, quota)
		writes := w.Requests(zkdev.OpSetData)
		r.SetAttributes(weighing(7))
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpSetData) - writes; n < 8 || n > 64 {
			t.Errorf("want 8 to 32 tries of two writes in 5 minutes, have %d writes", n)
		}
		w.FailAll(zkdev.OpSetData, 0)
		w.eventually(31*time.Second, func() error {
			data, _, err := w.Get("/go_servers/" + alice)
			if err == nil && !strings.Contains(string(data), `"weight":7`) {
				err = errors.New("want the weight, have " + string(data))
			}
			return err
		})
	})
}

// No error of a server has a registrar write more than once a second.
func TestFailedReplacementsArePaced(t *testing.T) {
	for _, op := range []zkdev.Op{zkdev.OpMulti, zkdev.OpSetData, zkdev.OpDelete} {
		inWorld(t, anywhere, func(w *world) {
			r := w.register(w.open(), alice)
			w.phase(r.State, time.Second, sd.Registered)
			w.Slow(10 * time.Millisecond)
			w.FailAll(op, -1)
			writes := w.Requests(zkdev.OpSetData)
			if op == zkdev.OpDelete {
				r.Deregister()
			} else {
				r.SetAttributes(weighing(7))
			}
			wait.Pass(time.Minute)
			if n := w.Requests(zkdev.OpSetData) - writes; n < 10 || n > 70 {
				t.Errorf("%v: want one try a second, have %d in a minute", op, n)
			}
		})
	}
}

// A withdrawal that a quota denies is made by the end of the session, if nothing else hangs on that;
// otherwise it is told why it did not come about.
func TestQuotaOnAWithdrawal(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpSetData, quota)
		r.Deregister()
		w.registered(2 * time.Second)
		if have := r.State(); have.Phase != sd.Withdrawn || have.Err != nil {
			t.Errorf("alone: want it withdrawn, have %v", have)
		}
	})
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		other := w.register(b, bob)
		w.phase(r.State, time.Second, sd.Registered)
		w.phase(other.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpSetData, quota)
		r.Deregister()
		if have := r.State(); !errors.Is(have.Err, sd.ErrUnconfirmed) || !errors.Is(have.Err, sd.ErrDenied) ||
			!strings.Contains(have.Err.Error(), "quota") {
			t.Errorf("beside another: want it unconfirmed, and the quota named, have %v", have)
		}
		writes := w.Requests(zkdev.OpSetData)
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpSetData) - writes; n < 8 || n > 32 {
			t.Errorf("want 8 to 32 tries in 5 minutes, have %d", n)
		}
		w.registered(time.Second, alice, bob)
		w.FailAll(zkdev.OpSetData, 0)
		w.registered(31*time.Second, bob)
	})
}

// So is one that the policy wants.
func TestQuotaOnWithholding(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.FailAll(zkdev.OpSetData, quota)
		w.SetData("/go_servers", []byte("#daytime-policy 1\nwithdraw "+alice+"\n"))
		w.phase(r.State, 2*time.Second, sd.Withheld)
		w.registered(time.Second)
	})
}

// Whatever a server answers, and however often, no registrar asks as fast as it answers.
func TestNoAnswerHurriesARegistrar(t *testing.T) {
	ops := []zkdev.Op{zkdev.OpCreate, zkdev.OpDelete, zkdev.OpSetData, zkdev.OpMulti, zkdev.OpExists, zkdev.OpGetData}
	for _, op := range ops {
		for _, code := range []zkdev.Code{-1, -103, -110, quota} {
			for what, happens := range map[string]func(w *world, r *sd.Registrar){
				"attributes change": func(_ *world, r *sd.Registrar) { r.SetAttributes(weighing(7)) },
				"data is changed":   func(w *world, _ *sd.Registrar) { w.SetData("/go_servers/"+alice, []byte("{}")) },
				"withdrawal":        func(_ *world, r *sd.Registrar) { r.Deregister() },
				"takeover":          func(w *world, _ *sd.Registrar) { w.register(w.open(), alice) },
				"withheld": func(w *world, _ *sd.Registrar) {
					w.SetData("/go_servers", []byte("#daytime-policy 1\nwithdraw "+alice+"\n"))
				},
			} {
				inWorld(t, anywhere, func(w *world) {
					r := w.register(w.open(), alice)
					w.phase(r.State, time.Second, sd.Registered)
					w.Slow(10 * time.Millisecond) // 6,000 in a minute
					w.FailAll(op, code)
					asked := w.Requests(ops...)
					happens(w, r)
					wait.Pass(time.Minute)
					if n := w.Requests(ops...) - asked; n > 2000 {
						t.Errorf("%v answered with %d, %s: want 2,000 requests in a minute at most, have %d", op, code, what, n)
					}
				})
			}
		}
	}
}

// A node that a predecessor left, and that a quota keeps from being replaced, is waited for as one
// that the ACLs keep: when it has gone its successor is there at once.
func TestQuotaOnATakeover(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.stale(alice)
		w.FailAll(zkdev.OpMulti, quota)
		writes := w.Requests(zkdev.OpMulti)
		r := w.register(w.open(), alice)
		wait.Pass(time.Minute)
		if have := r.State(); have.Phase != sd.Conflict || !strings.Contains(have.Err.Error(), "quota exceeded") {
			t.Errorf("want a conflict that names the quota, have %v", have)
		}
		if n := w.Requests(zkdev.OpMulti) - writes; n > 7 {
			t.Errorf("want 7 tries in a minute at most, have %d", n)
		}
		w.Delete("/go_servers/" + alice)
		w.phase(r.State, 2*time.Second, sd.Registered)
		w.FailAll(zkdev.OpMulti, 0)
		r.Deregister() // the denial was about another node
		if have := r.State(); have.Phase != sd.Withdrawn || have.Err != nil {
			t.Errorf("want it withdrawn at once, have %v", have)
		}
	})
}

// A withdrawal that the server refuses is told with its answer: it has answered.
func TestRefusedWithdrawalSaysWhy(t *testing.T) {
	for code, want := range map[zkdev.Code]string{-1: "system error (-1)", -127: "throttled (-127)", -103: "node keeps changing"} {
		inWorld(t, anywhere, func(w *world) {
			r := w.register(w.open(), alice)
			w.phase(r.State, time.Second, sd.Registered)
			w.FailAll(zkdev.OpDelete, code)
			r.Deregister()
			w.eventually(100*time.Millisecond, func() error {
				err := r.State().Err
				if !errors.Is(err, sd.ErrUnconfirmed) || !strings.Contains(err.Error(), want) {
					return fmt.Errorf("%d: want %v and %q, have %v", code, sd.ErrUnconfirmed, want, err)
				}
				return nil
			})
			w.FailAll(zkdev.OpDelete, 0)
			w.registered(2 * time.Second)
		})
	}
}

// A registration that went with its session was removed by nobody.
func TestLostWithTheSession(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		for want, lose := range map[string]func(){
			"its session 0x": func() { w.Expire() },
			"node removed":   func() { w.Delete("/go_servers/" + alice) },
		} {
			var lost []string
			stop := r.States(func(s sd.State) {
				if s.Phase == sd.Lost {
					lost = append(lost, s.Err.Error())
				}
			})
			lose()
			wait.Pass(5 * time.Second)
			stop()
			if len(lost) != 1 || !strings.Contains(lost[0], want) {
				t.Errorf("want one loss, by %q, have %q", want, lost)
			}
			w.phase(r.State, time.Second, sd.Registered)
		}
	})
}
