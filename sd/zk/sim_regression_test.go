package zk_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
)

// Seeds that found something, in the product or in the simulation itself. A seed fixes the schedule,
// and not how goroutines take turns, so each is run more than once.
func TestSeedsThatFoundSomething(t *testing.T) {
	for seed, what := range map[uint64]string{
		1014: "a directory was deleted, of which a withheld server was not told",
		9654: "the same, of two instances",
		3162: "a directory was made anew, with a policy of the same version",
		885:  "repairs that the server failed were counted",
		9835: "26 dials in 10 s: a part of a token was drawn again and again",
		2072: "26 dials in 10 s: urgent ones did not wait for each other",
		7307: "a client that was denied the list was taken for live",
		5979: "the same, of a name that had left",
		1727: "a handshake that was given up succeeded beside that, with session 0, whose nodes are everybody's",
		6016: "what was held back of a delay was wiped before it was noted",
	} {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			for range 5 {
				if sim := simulate(t, seed, setting{kinds: kinds()}); len(sim.failed) > 0 {
					t.Fatalf("%s\n%s", what, sim.report())
				}
			}
		})
	}
}

// Failures that simulations found, each reduced to the steps that matter.

// A child that was created while the list was under way is in the list, or its event comes after
// it: the count of events at the list is known but for one. A later event that gets lost must not
// hide in that.
func TestAuditFindsOneLostEventAfterABusyList(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Slow(50 * time.Millisecond)
		v := w.view(w.open()) // connected after 50 ms, watching after 100, lists from there
		wait.Pass(75 * time.Millisecond)
		w.Create("/go_servers/"+alice, nil, 0)
		wait.Pass(time.Second)
		w.Slow(0)
		w.shows(v, time.Second, alice)
		w.ForgetWatches()
		w.Create("/go_servers/"+bob, nil, 0)
		w.shows(v, 36*time.Second, alice, bob)
	})
}

// Everything is wiped after a client was told that its session has expired. The new directory may
// have the same zxid as the old one, if both are the first that was made; so the newer one must not
// be taken for a server that lags.
func TestWipeWhileTheSessionIsGone(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Create("/go_servers/"+alice, nil, 0)
		w.Create("/go_servers/"+bob, nil, 0)
		v := w.view(w.open())
		w.shows(v, time.Second, alice, bob)
		w.Slow(10 * time.Millisecond)
		w.Expire()
		wait.Pass(5 * time.Millisecond) // the client is being told
		w.Refuse(true)
		wait.Pass(time.Second)
		w.Wipe()
		w.Create("/go_servers", nil, 0)
		w.Create("/go_servers/"+carol, nil, 0)
		w.Refuse(false)
		w.shows(v, 3*time.Second, carol)
	})
}

// The directory is deleted and made again. A server that lags still has the old one: it is not
// believed, even by a session that has not seen anything.
func TestLaggingServerHasTheOldDirectory(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Create("/go_servers/"+alice, nil, 0)
		v := w.view(w.open())
		w.shows(v, time.Second, alice)
		session := w.Sessions()[0].ID
		w.Lag(session + 1) // the next one
		w.Delete("/go_servers/" + alice)
		w.Delete("/go_servers")
		w.Create("/go_servers", nil, 0)
		w.Create("/go_servers/"+bob, nil, 0)
		w.shows(v, time.Second, bob)
		updates := v.Emits()
		w.Expire(session)
		w.phase(v.State, 3*time.Second, sd.Stale)
		w.phase(v.State, 3*time.Second, sd.Live)
		w.shows(v, time.Second, bob)
		if v.Emits() != updates {
			t.Errorf("updates: want none, have %d", v.Emits()-updates)
		}
	})
}
