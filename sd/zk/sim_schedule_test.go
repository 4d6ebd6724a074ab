package zk_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/daytime/sd/zk/zkdev"
)

// A step is one thing that happens in a round.
type step struct {
	at   time.Duration // after the round began
	what string
	do   func()
}

// A round is a time of faults and changes, with a probe in the peace after it.
type round struct {
	steps []step
	probe func()
}

// rounds plans everything in advance: by the seed alone, and not by what will happen. A step that
// makes no sense when its time has come does nothing.
func (sim *simulation) rounds() []round {
	var all []round
	for range 3 {
		steps := sim.schedule()
		server, _ := sim.someServer()
		probes := []func(){
			sim.probeTime, sim.probeReconnect,
			func() { sim.probeRestart(server) }, func() { sim.probeWithdraw(server) },
		}
		if sim.calm {
			probes = probes[:1]
		}
		all = append(all, round{steps, choose(sim.random, probes)})
	}
	return all
}

// A kind is a sort of step, and how likely it is beside the others. Plan returns the steps of one
// occurrence that begins at the given time: lasting faults end after a while by a step of their
// own.
type kind struct {
	weight int
	plan   func(sim *simulation, at time.Duration) []step
}

// schedule chooses the steps of one round.
func (sim *simulation) schedule() []step {
	total := 0
	for _, k := range sim.kinds {
		total += k.weight
	}
	var steps []step
	at := time.Duration(0)
	for range 3 + sim.random.IntN(12) {
		pick := sim.random.IntN(total)
		for _, k := range sim.kinds {
			if pick -= k.weight; pick < 0 {
				steps = append(steps, k.plan(sim, at)...)
				break
			}
		}
		at += sim.pause()
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// pause is a time between steps: often none, sometimes sessions end meanwhile.
func (sim *simulation) pause() time.Duration {
	switch sim.random.IntN(4) {
	case 0:
		return 0
	case 1:
		return sim.upTo(50 * time.Millisecond)
	case 2:
		return sim.upTo(2 * time.Second)
	default:
		return sim.upTo(3 * sim.timeout)
	}
}

func (sim *simulation) upTo(d time.Duration) time.Duration {
	return time.Duration(sim.random.Int64N(int64(d))).Round(time.Millisecond)
}

// choose returns one of list.
func choose[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// once plans a step that is over at once.
func once(at time.Duration, do func(), what string, args ...any) []step {
	return []step{{at, fmt.Sprintf(what, args...), do}}
}

// lasting plans a fault that goes away after some time.
func (sim *simulation) lasting(at time.Duration, begin, end func(), what string, args ...any) []step {
	what = fmt.Sprintf(what, args...)
	d := choose(sim.random, []time.Duration{
		sim.upTo(200 * time.Millisecond), sim.upTo(2 * time.Second), sim.upTo(sim.timeout), sim.upTo(3 * sim.timeout),
	})
	return []step{{at, what, begin}, {at + d, "no more: " + what, end}}
}

// someServer returns a slot with instances, and one of these.
func (sim *simulation) someServer() (*slot, string) {
	s := sim.slots[sim.random.IntN(3)]
	return s, choose(sim.random, s.instances)
}

// someSessions chooses whom a fault hits: one process, or all.
func (sim *simulation) someSessions() (who func() []int64, what string) {
	if n := sim.random.IntN(len(sim.slots) + 2); n < len(sim.slots) {
		s := sim.slots[n]
		return func() []int64 { return sim.sessionOf(s) }, s.name
	}
	return sim.sessions, "all"
}

// foreignData is what other programs, and other hosts, leave in a node.
var foreignData = []string{"", "hello", `{"host":"another","address":"192.0.2.1:13"}`, `{"host":"","address":"192.0.2.2:13"}`}

// otherNames are in the directory at times, and nobody of ours wants them.
var otherNames = []string{
	"192.0.2.77:13", "[2001:db8::77]:13", "192.0.2.78:13", "0.0.0.0:13", "localhost:13", "192.0.2.077:13", "zookeeper",
}

// kinds is everything that can happen.
func kinds() []kind {
	return slices.Concat(membership, policyKinds, slowness, faultsOfNet, faultsOfServer)
}

var membership = []kind{
	{10, func(sim *simulation, at time.Duration) []step {
		s, name := sim.someServer()
		return once(at, func() { sim.register(s, name) }, "register %s", name)
	}},
	{6, func(sim *simulation, at time.Duration) []step {
		s, name := sim.someServer()
		wait := sim.random.IntN(2) == 0
		return once(at, func() { sim.withdraw(s, name, wait) }, "deregister %s", name)
	}},
	{3, func(sim *simulation, at time.Duration) []step {
		s, _ := sim.someServer()
		return once(at, func() { sim.kill(s) }, "kill %s", s.name)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		s, _ := sim.someServer()
		return append(once(at, func() { sim.kill(s) }, "kill %s", s.name),
			once(at+sim.pause(), func() { sim.restart(s) }, "start %s", s.name)...)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		s := choose(sim.random, sim.slots)
		return append(once(at, func() { sim.stop(s) }, "stop %s", s.name),
			once(at+sim.pause(), func() { sim.restart(s) }, "start %s", s.name)...)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		_, name := sim.someServer()
		return once(at, func() { sim.deleteNode(name) }, "operator deletes %s", name)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		slot, name := sim.someServer()
		data, owner := choose(sim.random, foreignData), int64(sim.random.IntN(2)*0x1234)
		steps := once(at, func() { sim.put(name, data, owner) }, "somebody else takes %s, data %q, owner %#x", name, data, owner)
		switch sim.random.IntN(3) {
		case 0:
			steps = append(steps, once(at+sim.pause(), func() { sim.deleteForeign(name) }, "somebody else leaves %s", name)...)
		case 1:
			steps = append(steps, once(at+sim.pause(), func() { sim.withdraw(slot, name, true) }, "deregister %s", name)...)
		}
		return steps
	}},
	{6, func(sim *simulation, at time.Duration) []step {
		name := choose(sim.random, otherNames)
		steps := once(at, func() { sim.put(name, "", 0) }, "another program puts %s", name)
		if sim.random.IntN(2) == 0 {
			steps = append(steps, once(at+sim.pause(), func() { sim.deleteForeign(name) }, "another program removes %s", name)...)
		}
		return steps
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		_, name := sim.someServer()
		data := choose(sim.random, foreignData)
		return once(at, func() { sim.touch(name, data) }, "another tool writes %q into %s", data, name)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		return once(at, sim.deleteDirectory, "operator deletes the directory")
	}},
}

var slowness = []kind{
	{4, func(sim *simulation, at time.Duration) []step {
		d := choose(sim.random, []time.Duration{time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond, mostSlow})
		return sim.lasting(at, func() { sim.slowDown(d) }, func() { sim.slowDown(0) }, "slow by %v", d)
	}},
}

var faultsOfNet = []kind{
	{6, func(sim *simulation, at time.Duration) []step {
		who, what := sim.someSessions()
		return once(at, func() { sim.aim(sim.server.Disconnect, who()) }, "disconnect %s", what)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		in, n := sim.random.IntN(2) == 0, sim.random.IntN(1200)
		return once(at, func() { sim.cutAfter(in, n) }, "cut after %d bytes, from clients: %v", n, in)
	}},
	{3, func(sim *simulation, at time.Duration) []step {
		s := choose(sim.random, sim.slots)
		return sim.lasting(at, func() { sim.partition(s, true) }, func() { sim.partition(s, false) }, "%s cannot reach ZooKeeper", s.name)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		return sim.lasting(at, func() { sim.server.Hang(true) }, func() { sim.server.Hang(false) }, "new connections hang")
	}},
	{3, func(sim *simulation, at time.Duration) []step {
		return sim.lasting(at, func() { sim.server.Refuse(true) }, func() { sim.server.Refuse(false) }, "new connections are refused")
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		return sim.lasting(at, func() { sim.freeze(true) }, func() { sim.freeze(false) }, "freeze")
	}},
}

// mostSlow bounds by how much the observer can be late.
const mostSlow = time.Second

var faultsOfServer = []kind{
	{4, func(sim *simulation, at time.Duration) []step {
		who, what := sim.someSessions()
		return once(at, func() { sim.aim(sim.server.Expire, who()) }, "expire %s", what)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		who, what := sim.someSessions()
		return once(at, func() { sim.aim(sim.server.Replace, who()) }, "replace the session of %s", what)
	}},
	{3, func(sim *simulation, at time.Duration) []step {
		return sim.lasting(at, sim.server.HoldEphemerals, sim.server.ReleaseEphemerals, "nodes of expired sessions stay")
	}},
	{5, func(sim *simulation, at time.Duration) []step {
		op := choose(sim.random, faultyOps)
		return once(at, func() { sim.dropReply(op) }, "drop the next reply to operation %d", op)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		op, code := choose(sim.random, faultyOps), choose(sim.random, []zkdev.Code{zkdev.RuntimeInconsistency, zkdev.SessionMoved, zkdev.NoAuth})
		if code == zkdev.NoAuth { // what a node's ACL denies it goes on to deny
			op = choose(sim.random, []zkdev.Op{zkdev.OpCreate, zkdev.OpGetChildren2, zkdev.OpAddWatch})
		}
		return once(at, func() { sim.failNext(op, code) }, "the next operation %d fails: %v", op, code)
	}},
	{3, func(sim *simulation, at time.Duration) []step {
		who, what := sim.someSessions()
		return sim.lasting(at, func() { sim.aim(sim.server.Lag, who()) }, sim.server.CatchUp, "lag: %s", what)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		who, what := sim.someSessions()
		return once(at, func() { sim.forget(who()) }, "forget the watches of %s", what)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		again := sim.random.IntN(2) == 0
		return once(at, func() { sim.wipe(again) }, "wipe, with a new directory: %v", again)
	}},
	{2, func(sim *simulation, at time.Duration) []step {
		return sim.lasting(at, func() { sim.limit(true) }, func() { sim.limit(false) }, "a server before 3.6")
	}},
}

// faultyOps are the operations that single faults are aimed at.
var faultyOps = []zkdev.Op{
	zkdev.OpCreate, zkdev.OpMulti, zkdev.OpSetData, zkdev.OpDelete, zkdev.OpExists, zkdev.OpGetData, zkdev.OpGetChildren2, zkdev.OpAddWatch,
}
