package zk_test

import (
	"context"
	"slices"
	"time"

	"example.com/daytime/sd"
)

// A wish is that a name should leave, from a certain time on, or that it should be there.
type wish struct {
	at    time.Time
	leave bool
}

// A departure is that a process was told of a name that it withdrew.
type departure struct {
	program *program
	name    string
	at      time.Time
}

// departureWindow bounds how late a process is told, while a server lags or everything is frozen.
const departureWindow = 20 * time.Second

// overhear notes what p is told of departures.
func (sim *simulation) overhear(p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, watch: func(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return b.Watch(ctx, want, func(c sd.Change) {
			sim.mu.Lock()
			for _, name := range c.Withdrew {
				sim.told = append(sim.told, departure{p, name, time.Now()})
			}
			sim.mu.Unlock()
			emit(c)
		})
	}}
}

// checkDepartures checks that nobody was told that a name withdrew which was to stay. One into
// whose node somebody wrote, a tool or a takeover that failed, and which is gone soon after, may
// look as if it had, also to a process that is told of both late.
func (sim *simulation) checkDepartures() {
	sim.mu.Lock()
	told := sim.told
	sim.told = nil
	sim.mu.Unlock()
	for _, d := range told {
		if !sim.wasToLeave(d.name, d.at) && !sim.observer.wasWritten(d.name, d.at, departureWindow) {
			sim.fail("%s was told at %.3fs that %s withdrew, which it was not to", d.program.slot.name, sim.seconds(d.at), d.name)
		}
	}
}

// wasToLeave reports whether name was to leave at any time in the window before.
func (sim *simulation) wasToLeave(name string, before time.Time) bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	from, leave := before.Add(-departureWindow), false
	for _, w := range sim.wishes[name] {
		if w.at.After(before) {
			break
		}
		if w.at.After(from) && (leave || w.leave) {
			return true
		}
		leave = w.leave
	}
	return leave
}

// probeWithdraw has a server withdraw: everybody with a persistent watch is told that it did.
func (sim *simulation) probeWithdraw(s *slot) {
	if s.process == nil {
		return
	}
	name := s.instances[0]
	if sim.isForeign(name) || !slices.Contains(sim.expected(), name) {
		return
	}
	sim.note("probe: %s withdraws", name)
	time.Sleep(2 * time.Second)
	sim.forgetTold()
	sim.deregister(s.process, name)
	time.Sleep(time.Second)
	sim.everybodyWasTold(nil, name)
}

// forgetTold forgets what processes were told of departures.
func (sim *simulation) forgetTold() {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.told = nil
}

// everybodyWasTold checks that everybody with a persistent watch was told that names withdrew, but for
// the process in except, which began later.
func (sim *simulation) everybodyWasTold(except *slot, names ...string) {
	for _, s := range sim.slots {
		p := s.process
		if p == nil || s == except || s.viewers == 0 || p.backend.Stats().Watch != "persistent" {
			continue
		}
		for _, name := range names {
			if !sim.knows(p, name) {
				sim.fail("%s: want it told that %s withdrew", s.name, name)
			}
		}
	}
}

// knows reports whether p was told that name withdrew.
func (sim *simulation) knows(p *program, name string) bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return slices.ContainsFunc(sim.told, func(d departure) bool { return d.program == p && d.name == name })
}
