package zk_test

import (
	"math"
	"slices"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zkdev"
)

// register wants name registered by the process in s, and does not wait.
func (sim *simulation) register(s *slot, name string) {
	if s.process == nil {
		return
	}
	sim.mu.Lock()
	s.process.wanted[name] = true
	sim.mu.Unlock()
	sim.mayAppear(name)
	sim.calls.Go(s.process.registrars[name].Register)
	synctest.Wait() // until it has begun: calls are not to overtake each other
}

// withdraw wants name not registered by the process in s.
func (sim *simulation) withdraw(s *slot, name string, wait bool) {
	if s.process == nil {
		return
	}
	p := s.process
	if wait {
		sim.deregister(p, name)
		return
	}
	sim.calls.Go(func() { sim.deregister(p, name) })
	synctest.Wait()
}

// deregister may be called from any goroutine. If the withdrawal is confirmed,
// and nothing happened since it was called for that allows name to appear, it
// may not appear any more.
func (sim *simulation) deregister(p *program, name string) {
	sim.mu.Lock()
	p.wanted[name] = false
	allowed := sim.allowed[name]
	sim.mu.Unlock()
	r := p.registrars[name]
	r.Deregister()
	s := r.State()
	sim.mu.Lock()
	defer sim.mu.Unlock()
	_, foreign := sim.foreign[name]
	if s.Phase == sd.Withdrawn && s.Err == nil && allowed == sim.allowed[name] && !p.dead && !foreign && !sim.frozen {
		sim.absent[name] = time.Now()
	}
}

// mayAppear notes that there is a reason for name to appear from now on.
func (sim *simulation) mayAppear(name string) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.allowed[name]++
	delete(sim.absent, name)
}

// kill ends the process in s as SIGKILL does.
func (sim *simulation) kill(s *slot) {
	if s.process != nil {
		sim.end(s, true)
	}
}

// stop ends the process in s in an orderly way.
func (sim *simulation) stop(s *slot) {
	if s.process != nil {
		sim.end(s, false)
	}
}

// restart runs a process in s, if there is none, and registers its instances.
func (sim *simulation) restart(s *slot) {
	if s.process != nil {
		return
	}
	sim.start(s)
	for _, name := range s.instances {
		sim.register(s, name)
	}
}

// deleteNode removes a node of ours.
func (sim *simulation) deleteNode(name string) {
	if _, foreign := sim.foreign[name]; !foreign {
		sim.server.Delete("/go_servers/" + name)
	}
}

// put makes name somebody else's, in place of ours if it is there.
func (sim *simulation) put(name, data string, owner int64) {
	if _, foreign := sim.foreign[name]; foreign {
		return
	}
	sim.mayAppear(name)
	path := "/go_servers/" + name
	sim.server.Delete(path)
	if sim.server.Create(path, []byte(data), owner) == nil {
		_, stat, _ := sim.server.Get(path)
		sim.mu.Lock()
		defer sim.mu.Unlock()
		sim.foreign[name] = stat
	}
}

// deleteForeign removes what put made.
func (sim *simulation) deleteForeign(name string) {
	if _, foreign := sim.foreign[name]; foreign {
		if err := sim.intact(name); err != nil {
			sim.fail("%v", err)
		}
		sim.server.Delete("/go_servers/" + name)
		sim.mu.Lock()
		defer sim.mu.Unlock()
		delete(sim.foreign, name)
	}
}

// deleteDirectory removes the directory and what is in it, as zkCli's deleteall
// does: one by one, while others may be creating.
func (sim *simulation) deleteDirectory() {
	for range 3 {
		names, _ := sim.server.Children("/go_servers")
		for _, name := range names {
			sim.deleteForeign(name)
			sim.server.Delete("/go_servers/" + name)
		}
		if sim.server.Delete("/go_servers") == nil {
			return
		}
	}
}

// sessions returns all but the observer's, and 0, which stands for connections
// that have none yet.
func (sim *simulation) sessions() []int64 {
	ids := []int64{0}
	for _, s := range sim.server.Sessions() {
		if s.ID != sim.observer.session {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// sessionOf returns the session of the process in s, if there are both.
func (sim *simulation) sessionOf(s *slot) []int64 {
	if s.process == nil || s.process.session() == 0 {
		return nil
	}
	return []int64{s.process.session()}
}

// freeze stops the server, or lets it go on.
func (sim *simulation) freeze(on bool) {
	sim.mu.Lock()
	sim.frozen = on
	sim.mu.Unlock()
	if on {
		sim.server.Freeze()
	} else {
		sim.server.Thaw()
	}
}

// aim lets fault hit sessions, and nobody if there are none.
func (sim *simulation) aim(fault func(...int64), sessions []int64) {
	if len(sessions) > 0 {
		fault(sessions...)
	}
}

// forget drops watches. What happens then is noticed at the next audit.
func (sim *simulation) forget(sessions []int64) {
	sim.forgot = true
	sim.aim(sim.server.ForgetWatches, sessions)
}

// cutAfter cuts the connection that the nth byte from now on passes.
func (sim *simulation) cutAfter(in bool, n int) {
	if in {
		sim.server.CutAfterReading(n, sim.sessions()...)
	} else {
		sim.server.CutAfterWriting(n, sim.sessions()...)
	}
}

// partition takes the network from the process in s, or gives it back.
func (sim *simulation) partition(s *slot, on bool) {
	if s.process != nil {
		s.process.line.cut(on)
	}
}

// arm notes a fault that hits the next request of an operation.
func (sim *simulation) arm(op zkdev.Op, denies bool) {
	sim.armed[op] = max(sim.armed[op], sim.server.Requests(op)) + 1
	if denies {
		sim.denials++
	}
}

func (sim *simulation) dropReply(op zkdev.Op) {
	sim.arm(op, false)
	sim.server.DropReply(op)
}

func (sim *simulation) failNext(op zkdev.Op, code zkdev.Code) {
	sim.arm(op, code == zkdev.NoAuth)
	sim.server.FailNext(op, code)
}

// limit makes the server one before ZooKeeper 3.6, or a new one again. What it
// does not know hits no fault that waits for it.
func (sim *simulation) limit(on bool) {
	if n, armed := sim.armed[zkdev.OpAddWatch]; armed && sim.limited {
		sim.armed[zkdev.OpAddWatch] = max(n, sim.server.Requests(zkdev.OpAddWatch)+1)
	}
	sim.limited = on
	if on {
		sim.server.LimitOps(102)
	} else {
		sim.server.LimitOps(0)
	}
}

// pending reports whether a fault is armed that has hit nobody.
func (sim *simulation) pending() bool {
	for op, n := range sim.armed {
		if sim.server.Requests(op) < n {
			return true
		}
	}
	return false
}

// wipe makes the server forget everything. The observer is the first to be
// there again, so that it misses nothing.
func (sim *simulation) wipe(directory bool) {
	sim.healServer()
	synctest.Wait() // everybody has been told what happened before
	sim.gate.Store(true)
	defer sim.gate.Store(false)
	sim.server.Wipe()
	sim.mu.Lock()
	clear(sim.foreign)
	sim.mu.Unlock()
	sim.observer.wiped()
	if err := sim.observer.observe(); err != nil {
		sim.t.Fatal(err)
	}
	if directory {
		sim.server.Create("/go_servers", nil, 0)
	}
}

// heal ends every fault, but for those that wait for a request.
func (sim *simulation) heal() {
	sim.healServer()
	for _, s := range sim.slots {
		sim.partition(s, false)
	}
}

func (sim *simulation) healServer() {
	sim.freeze(false)
	sim.server.Hang(false)
	sim.server.Refuse(false)
	sim.server.Slow(0)
	sim.limit(false)
	sim.server.CatchUp()
	sim.server.ReleaseGhosts()
	sim.server.CutAfterReading(math.MaxInt, 0)
	sim.server.CutAfterWriting(math.MaxInt, 0)
}

// expected returns the names that ought to be in the directory, in order.
func (sim *simulation) expected() []string {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	var names []string
	for name := range sim.foreign {
		names = append(names, name)
	}
	for _, s := range sim.slots {
		for _, name := range s.instances {
			if _, foreign := sim.foreign[name]; !foreign && s.process != nil && s.process.wanted[name] {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
