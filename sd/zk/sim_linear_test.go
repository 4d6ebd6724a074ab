package zk_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zkdev"
	"github.com/anishathalye/porcupine"
)

const (
	// historySlow is how slow links are each way while a history is recorded.
	historySlow = 200 * time.Millisecond
	// policyDelay is how long a registrar may not have heard of a policy that was written: an
	// event, a read, and the time over which reads are spread.
	policyDelay = time.Second
)

// recorded are the kinds of steps of which a history is recorded: nothing that loses an event, has
// a server lag, or keeps a process away for as long as its session lasts.
func recorded() []kind {
	return []kind{
		ofServer(10, "register", func(h *history, s *slot, name string) effect[tenancy] {
			h.sim.register(s, name)
			return nil
		}),
		ofServer(8, "deregister", func(h *history, s *slot, name string) effect[tenancy] {
			h.sim.withdraw(s, name, false)
			return nil
		}),
		ofServer(6, "restart", (*history).restart),
		ofServer(3, "expire", (*history).expire),
		ofServer(10, "look", func(*history, *slot, string) effect[tenancy] { return nil }),
		ofServer(4, "disconnect", func(h *history, s *slot, _ string) effect[tenancy] {
			h.sim.aim(h.sim.server.Disconnect, h.sim.sessionOf(s))
			return nil
		}),
		ofServer(4, "operator deletes", (*history).deleteNode),
		ofServer(6, "somebody else takes, or leaves", (*history).intrude),
		{10, func(sim *simulation, at time.Duration) []step {
			one, other := choose(sim.random, policies), choose(sim.random, policies)
			return once(at, func() { sim.history.editAtOnce(one, other) }, "operators write the policies %q and %q", one, other)
		}},
		{4, func(sim *simulation, at time.Duration) []step {
			in, n := sim.random.IntN(2) == 0, sim.random.IntN(1200)
			return once(at, func() { sim.cutAfter(in, n) }, "cut after %d bytes, from clients: %v", n, in)
		}},
		{4, func(sim *simulation, at time.Duration) []step {
			op := choose(sim.random, []zkdev.Op{zkdev.OpCreate, zkdev.OpMulti, zkdev.OpSetData, zkdev.OpDelete})
			return once(at, func() { sim.dropReply(op) }, "drop the next reply to operation %d", op)
		}},
		{3, func(sim *simulation, at time.Duration) []step {
			return sim.lasting(at, func() { sim.slowDown(historySlow) }, func() { sim.slowDown(0) }, "slow")
		}},
	}
}

// ofServer does something about a name, and notes its effect unless that is nil.
func ofServer(weight int, what string, do func(*history, *slot, string) effect[tenancy]) kind {
	return kind{weight, func(sim *simulation, at time.Duration) []step {
		s, name := sim.someServer()
		return once(at, func() {
			call := sim.history.now()
			if e := do(sim.history, s, name); e != nil {
				sim.history.add(name, call, e)
			}
			sim.history.look()
		}, what+": %s", name)
	}}
}

// restart kills a process, if there is one, and starts another: a takeover, if that was registered.
func (h *history) restart(s *slot, _ string) effect[tenancy] {
	if p := s.process; p != nil {
		for _, name := range s.instances {
			h.after(h.sim.timeout+2*tick, name, h.now(), ends(p))
		}
		h.sim.kill(s)
	}
	h.sim.restart(s)
	return nil
}

// expire ends the session of a process.
func (h *history) expire(s *slot, _ string) effect[tenancy] {
	if sessions := h.sim.sessionOf(s); sessions != nil {
		for _, name := range s.instances {
			h.after(0, name, h.now(), ends(s.process))
		}
		h.sim.server.Expire(sessions...)
	}
	return nil
}

func (h *history) deleteNode(_ *slot, name string) effect[tenancy] {
	if h.sim.isForeign(name) {
		return nil
	}
	h.sim.deleteNode(name)
	return passes(nil)
}

// intrude takes a name for somebody else, or gives it back.
func (h *history) intrude(_ *slot, name string) effect[tenancy] {
	if h.sim.isForeign(name) {
		h.sim.deleteForeign(name)
	} else if h.sim.put(name, "a stranger's", 0x1234); h.sim.isForeign(name) {
		return passes(stranger)
	}
	return passes(nil)
}

// editAtOnce has two operators write at the same time.
func (h *history) editAtOnce(documents ...string) {
	for i, document := range documents {
		if s := h.sim.slots[3+i]; s.process != nil {
			h.sim.calls.Go(func() { h.edit(s, document) })
		}
	}
}

// recordHistory runs one seed, with a bug or an operator who writes blindly, or with neither.
func recordHistory(t *testing.T, seed uint64, b bug, blind bool) *simulation {
	return simulate(t, seed, setting{kinds: recorded(), calm: true, recorded: true, bug: b, blind: blind})
}

// What clients were told of announcing, withdrawing, taking over and editing the policy, all at the
// same time and over connections that break, can have come about one after the other.
func TestHistoriesAreLinearizable(t *testing.T) {
	for i := range uint64(*simHistories) {
		t.Run(fmt.Sprintf("seed=%d", i+1), func(t *testing.T) {
			t.Parallel()
			sim := recordHistory(t, i+1, nil, false)
			if result, of := sim.history.check(20 * time.Second); result != porcupine.Ok || len(sim.failed) > 0 {
				t.Errorf("%s: %s\n%s", result, of, sim.report())
			}
		})
	}
}

// Bugs are found by histories alone: not every one is linearizable.
func TestHistoriesFindPlantedBugs(t *testing.T) {
	for name, c := range map[string]struct {
		bug   bug
		blind bool
	}{
		"no owner check":                 {noOwnerCheck, false},
		"delete without owner check":     {deleteAnyway, false},
		"registered on the way out":      {registerOnTheWayOut, false},
		"told before the policy is read": {toldUnread, false},
		"a policy written blindly":       {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= plantedWithin; seed++ {
				if result, of := recordHistory(t, seed, c.bug, c.blind).history.check(time.Second); result == porcupine.Illegal {
					t.Logf("found with seed %d: %s", seed, of)
					return
				}
			}
			t.Errorf("want it found within %d seeds, was not", plantedWithin)
		})
	}
}

// toldUnread tells that it is registered when it has created its node, and reads the policy then.
func toldUnread(sim *simulation, p *program, b sd.Backend) sd.Backend {
	b = createFirst(sim, p, b)
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		if ctx.Err() == nil {
			told(sd.Status{Phase: sd.Registered})
		}
		return b.Announce(ctx, entry, told)
	}}
}
