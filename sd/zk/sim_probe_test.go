package zk_test

import (
	"testing/synctest"
	"time"
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

func (sim *simulation) spectators() (all []*spectator) {
	for _, s := range sim.slots {
		if s.process != nil {
			all = append(all, s.process.viewers...)
		}
	}
	return all
}
