package zk_test

import (
	"slices"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
)

// register wants name registered by the process in s, and does not wait.
func (sim *simulation) register(s *slot, name string) {
	if s.process == nil {
		return
	}
	leave := sim.withheld(name)
	sim.mu.Lock()
	s.process.wanted[name] = true
	sim.wishes[name] = append(sim.wishes[name], wish{time.Now(), leave})
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

// deregister may be called from any goroutine. If the withdrawal is confirmed, nothing has happened
// since the call that lets name appear, and the observer is not behind, then it may not appear any
// more.
func (sim *simulation) deregister(p *program, name string) {
	sim.mu.Lock()
	p.wanted[name] = false
	if !p.dead {
		sim.wishes[name] = append(sim.wishes[name], wish{time.Now(), true})
	}
	allowed := sim.allowed[name]
	sim.mu.Unlock()
	if sim.history != nil {
		sim.history.leaves(p, name)
	}
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

// isForeign reports whether name is somebody else's. It may be called from the simulation alone.
func (sim *simulation) isForeign(name string) bool {
	_, foreign := sim.foreign[name]
	return foreign
}

// deleteNode removes a node of ours.
func (sim *simulation) deleteNode(name string) {
	if !sim.isForeign(name) {
		sim.server.Delete("/go_servers/" + name)
	}
}

// touch has another tool write into a node of ours, which its server is to write again. It does so
// at most twice in a round: a server that is annoyed more often waits for its next audit.
func (sim *simulation) touch(name, data string) {
	sim.mu.Lock()
	_, foreign := sim.foreign[name]
	recent := slices.DeleteFunc(slices.Clone(sim.touched[name]), func(t time.Time) bool {
		return time.Since(t) > time.Minute
	})
	if foreign || len(recent) >= 2 {
		sim.mu.Unlock()
		return
	}
	sim.touched[name] = append(sim.touched[name], time.Now())
	sim.mu.Unlock()
	sim.server.SetData("/go_servers/"+name, []byte(data))
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

// deleteDirectory removes the directory and what is in it, as zkCli's deleteall does: one by one,
// while others may be creating.
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

// remakeDirectory makes another one in the place of the directory, with the policy text.
func (sim *simulation) remakeDirectory(text string) {
	sim.deleteDirectory()
	if sim.server.Create("/go_servers", nil, 0) == nil {
		sim.writePolicy(text)
	}
}

// expected returns the names that ought to be in the directory, in order.
func (sim *simulation) expected() []string {
	withheld := map[string]bool{}
	for _, s := range sim.slots {
		for _, name := range s.instances {
			withheld[name] = sim.withheld(name)
		}
	}
	sim.mu.Lock()
	defer sim.mu.Unlock()
	var names []string
	for name := range sim.foreign {
		names = append(names, name)
	}
	for _, s := range sim.slots {
		for _, name := range s.instances {
			if _, foreign := sim.foreign[name]; !foreign && !withheld[name] && s.process != nil && s.process.wanted[name] {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
