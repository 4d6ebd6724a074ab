package zk_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/policy"
)

// probeTime lets time pass, in which nothing may change.
func (sim *simulation) probeTime() {
	sim.note("probe: nothing happens")
	time.Sleep(sim.timeout + 2*tick)
	synctest.Wait()
}

// updates counts the sets shown.
func (sim *simulation) updates() (n int) {
	for _, v := range sim.spectators() {
		for _, w := range v.views {
			_, sets := w.last()
			n += sets
		}
	}
	return n
}

// probeReconnect cuts all connections: sessions live on, nothing is written, and nobody is shown
// anything.
func (sim *simulation) probeReconnect() {
	sim.note("probe: reconnect")
	zxid, updates := sim.server.Zxid(), sim.updates()
	sim.aim(sim.server.Disconnect, sim.sessions())
	time.Sleep(sim.timeout)
	synctest.Wait()
	if n := sim.server.Zxid() - zxid; n != 0 {
		sim.fail("a reconnect within the session: want nothing written, have %d changes", n)
	}
	if n := sim.updates() - updates; n != 0 {
		sim.fail("a reconnect within the session: want nothing shown, have %d sets", n)
	}
}

// probeRestart kills a server and starts it again before its session has ended: its nodes are taken
// over, and nobody is shown a gap.
func (sim *simulation) probeRestart(s *slot) {
	if s.process == nil {
		return
	}
	sim.note("probe: restart of %s", s.name)
	for _, name := range s.instances {
		sim.register(s, name)
	}
	time.Sleep(time.Second)
	sim.kill(s)
	updates := sim.updates() // of the others
	viewers := sim.spectators()
	time.Sleep(sim.timeout / 8)
	sim.restart(s)
	if err := sim.eventually(time.Second, func() error { return sim.processConverged(s.process, sim.expected()) }); err != nil {
		sim.fail("a second after the restart: %v", err)
	}
	time.Sleep(sim.timeout + 2*tick)
	synctest.Wait()
	after := 0
	for _, v := range viewers {
		for _, w := range v.views {
			_, sets := w.last()
			after += sets
		}
	}
	if after != updates {
		sim.fail("a restart within the session: want nothing shown to others, have %d sets", after-updates)
	}
}

// probeWithheld kills a server, and starts it again while a line withdraws it: its predecessor's
// nodes are taken away at once, which is a withdrawal. Started once more, it does not appear. It is
// back when the line is lifted.
func (sim *simulation) probeWithheld(s *slot) {
	if sim.server.SetData("/go_servers", nil) != nil || slices.ContainsFunc(s.instances, sim.isForeign) {
		return
	}
	sim.note("probe: %s is killed, and withdrawn by a line", s.name)
	sim.restart(s)
	for _, name := range s.instances {
		sim.register(s, name)
	}
	time.Sleep(2 * time.Second)
	host, turns := netip.MustParseAddrPort(s.instances[0]).Addr(), sim.newest(time.Now())
	sim.forgetTold()
	sim.kill(s)
	sim.writePolicy(fmt.Sprintf("%s\nwithdraw %v\n", policy.Header, host))
	time.Sleep(sim.timeout / 8)
	for range 2 {
		sim.kill(s)
		sim.restart(s)
		if err := sim.eventually(time.Second, func() error { return sim.hasNoNode(s, turns) }); err != nil {
			sim.fail("a second after the start: %v", err)
			return
		}
	}
	time.Sleep(time.Second)
	sim.everybodyWasTold(s, s.instances...)
	sim.writePolicy("")
	if err := sim.eventually(time.Second, func() error { return sim.processConverged(s.process, sim.expected()) }); err != nil {
		sim.fail("a second after the line was lifted: %v", err)
	}
	time.Sleep(sim.timeout + 2*tick) // nothing is left of those that were killed
	if err := sim.converged(); err != nil {
		sim.fail("some time after the line was lifted: %v", err)
	}
}

// hasNoNode returns an error unless the server in s is withheld, and each of its nodes has taken
// one turn since it had taken so many.
func (sim *simulation) hasNoNode(s *slot, turns map[string]int) error {
	names, err := sim.server.Children("/go_servers")
	if err != nil {
		return err
	}
	now := sim.newest(time.Now())
	for _, name := range s.instances {
		if n := now[name] - turns[name]; n != 1 || slices.Contains(names, name) {
			return fmt.Errorf("%s, which a line withdraws: want its node gone and nothing else, have %d turns", name, n)
		}
	}
	return sim.processConverged(s.process, names)
}

func (sim *simulation) spectators() (all []*spectator) {
	for _, s := range sim.slots {
		if s.process != nil {
			all = append(all, s.process.viewers...)
		}
	}
	return all
}
