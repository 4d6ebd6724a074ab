package zk_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
)

// plantedWithin is how many seeds a bug may survive.
const plantedWithin = 200

// TestSimulationFindsPlantedBugs plants the bugs that ZooKeeper clients are known for, each alone,
// and expects the simulation to find each soon, and nothing with the same seed where there is no
// bug.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	all, timing := setting{kinds: kinds()}, setting{kinds: slices.Concat(membership, slowness), calm: true, bug: listWithArm}
	remade := setting{kinds: slices.Concat(membership, policyKinds, []kind{{10, func(sim *simulation, at time.Duration) []step {
		text := choose(sim.random, policies)
		return once(at, func() { sim.remakeDirectory(text) }, "operator makes the directory anew, with the policy %q", text)
	}}})}
	for name, p := range map[string]struct {
		setting
		bug bug
	}{
		"no owner check":                 {all, noOwnerCheck},
		"no retry after a failed list":   {all, noRetry},
		"a write on reconnect":           {all, writeOnReconnect},
		"delete without owner check":     {all, deleteAnyway},
		"list before arm":                {timing, listBeforeArm},
		"empty set published on a loss":  {all, emptyOnLoss},
		"empty set published at first":   {all, emptyAtFirst},
		"registered on the way out":      {all, registerOnTheWayOut},
		"takeover in two steps":          {all, takeoverInTwoSteps},
		"a loss taken for a withdrawal":  {all, lossWithdrew},
		"a withdrawal taken for a loss":  {all, withdrewIsLost},
		"the policy read after a create": {all, createFirst},
		"withheld beside a stale node":   {all, withheldBesideStale},
		"attributes read once":           {all, attributesReadOnce},
		"a policy known by its number":   {remade, policyByNumber},
		"drained ones sent to go-kit":    {all, drainedSent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound, unsound := p.setting, p.setting
			unsound.bug = p.bug
			sim := seek(t, unsound)
			if sim == nil {
				t.Fatalf("want it found within %d seeds, was not", plantedWithin)
			}
			t.Logf("found with seed %d: %s", sim.seed, sim.failed[0])
			if sim := simulate(t, sim.seed, sound); len(sim.failed) > 0 {
				t.Errorf("want it found because of the bug, have this without it:\n%s", sim.report())
			}
		})
	}
}

// seek returns the first simulation that fails, or nil.
func seek(t *testing.T, where setting) *simulation {
	for seed := uint64(1); seed <= plantedWithin; seed++ {
		if sim := simulate(t, seed, where); len(sim.failed) > 0 {
			return sim
		}
	}
	return nil
}

// A patched backend does one thing differently.
type patched struct {
	sd.Backend
	watch    func(ctx context.Context, want sd.Want, emit func(sd.Change)) error
	announce func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error
}

func (p patched) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	if p.watch != nil {
		return p.watch(ctx, want, emit)
	}
	return p.Backend.Watch(ctx, want, emit)
}

func (p patched) Announce(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	if p.announce != nil {
		return p.announce(ctx, entry, told)
	}
	return p.Backend.Announce(ctx, entry, told)
}

// noOwnerCheck takes a node that exists for its own.
func noOwnerCheck(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		if _, _, err := sim.server.Get("/go_servers/" + entry.Instance); err == nil && ctx.Err() == nil {
			told(sd.Status{Phase: sd.Registered})
			<-ctx.Done()
		}
		return b.Announce(ctx, entry, told)
	}}
}

// noRetry is deaf once a watch has failed.
func noRetry(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		b.Watch(ctx, want, emit)
		<-ctx.Done()
		return ctx.Err()
	}}
}

// writeOnReconnect refreshes its nodes with every connection but the first.
func writeOnReconnect(sim *simulation, p *program, b sd.Backend) sd.Backend {
	p.line.onReconnect(func() {
		for _, instance := range p.slot.instances {
			path := "/go_servers/" + instance
			if data, stat, err := sim.server.Get(path); err == nil && stat.EphemeralOwner == p.session() {
				sim.server.SetData(path, data)
			}
		}
	})
	return b
}

// deleteAnyway withdraws by deleting the node, also another's.
func deleteAnyway(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		err := b.Announce(ctx, entry, told)
		if ctx.Err() != nil && !p.line.isDown() {
			sim.server.Delete("/go_servers/" + entry.Instance)
		}
		return err
	}}
}

// emptyOnLoss says that there are no servers when it does not know any.
func emptyOnLoss(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		err := b.Watch(ctx, want, emit)
		if ctx.Err() == nil {
			emit(sd.Change{Reset: true})
		}
		return err
	}}
}

// emptyAtFirst says that there are no servers before it has asked.
func emptyAtFirst(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		emit(sd.Change{Reset: true})
		return b.Watch(ctx, want, emit)
	}}
}

// registerOnTheWayOut lets a repair overtake the withdrawal.
func registerOnTheWayOut(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		err := b.Announce(ctx, entry, told)
		if ctx.Err() != nil && !p.line.isDown() && p.session() != 0 {
			sim.server.Create("/go_servers/"+entry.Instance, nil, p.session())
		}
		return err
	}}
}

// takeoverInTwoSteps makes room for itself before it registers.
func takeoverInTwoSteps(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		sim.mu.Lock()
		_, foreign := sim.foreign[entry.Instance]
		sim.mu.Unlock()
		if ctx.Err() == nil && !foreign && !p.line.isDown() {
			sim.server.Delete("/go_servers/" + entry.Instance)
			time.Sleep(100 * time.Millisecond)
		}
		return b.Announce(ctx, entry, told)
	}}
}

// lossWithdrew says of every server that is gone that it left on purpose.
func lossWithdrew(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return b.Watch(ctx, want, func(c sd.Change) {
			c.Withdrew = c.Down
			emit(c)
		})
	}}
}

// withdrewIsLost says of no server that it left on purpose.
func withdrewIsLost(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return b.Watch(ctx, want, func(c sd.Change) {
			c.Withdrew = nil
			emit(c)
		})
	}}
}

// createFirst reads the policy once it has registered.
func createFirst(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		for range 10 { // until there is a session
			if p.session() == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if ctx.Err() == nil && !p.line.isDown() && p.session() != 0 {
			r := record.Record{Instance: entry.Instance, Attributes: entry.Attributes, Owner: record.Self()}
			sim.server.Create("/go_servers/"+entry.Instance, r.Encode(), p.session())
		}
		return b.Announce(ctx, entry, told)
	}}
}

// withheldBesideStale does not look for a node while a line withdraws its instance.
func withheldBesideStale(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		for ctx.Err() == nil && sim.withheld(entry.Instance) {
			told(sd.Status{Phase: sd.Withheld})
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		return b.Announce(ctx, entry, told)
	}}
}

// attributesReadOnce knows of a member what it said when it came.
func attributesReadOnce(sim *simulation, p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return b.Watch(ctx, want, func(c sd.Change) {
			if !c.Reset {
				maps.DeleteFunc(c.Attributes, func(name string, _ policy.Attributes) bool { return !slices.Contains(c.Up, name) })
			}
			emit(c)
		})
	}}
}

// policyByNumber keeps a policy as long as the number of its version is the same.
func policyByNumber(sim *simulation, p *program, b sd.Backend) sd.Backend {
	var mu sync.Mutex
	known := int64(-1)
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return b.Watch(ctx, want, func(c sd.Change) {
			if c.Policy != nil {
				mu.Lock()
				if c.Policy.Version == known {
					c.Policy = nil
				} else {
					known = c.Policy.Version
				}
				mu.Unlock()
			}
			emit(c)
		})
	}}
}

// drainedSent sends go-kit's components all that there is.
func drainedSent(sim *simulation, p *program, b sd.Backend) sd.Backend {
	p.undrained = true
	return b
}
