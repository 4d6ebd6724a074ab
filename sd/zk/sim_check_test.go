package zk_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
)

const (
	auditBound  = 36 * time.Second // auditInterval and a fifth
	deniedBound = 31 * time.Second // package sd's longest pause, which follows a denial
	tick        = 2 * time.Second  // zkdev's: sessions end on one
)

// settle ends all faults and checks everything: what must be true soon after that, and what must
// have been true all the time. Probe is tried if no fault is left that could hit it.
func (sim *simulation) settle(probe func()) {
	sim.note("heal")
	sim.heal()
	time.Sleep(mostSlow) // what was held up arrives
	if _, err := sim.server.Children("/go_servers"); err != nil && len(sim.expected()) == 0 {
		sim.server.Create("/go_servers", nil, 0) // nobody else will
	}
	within := 2*sim.timeout + 5*time.Second
	if sim.forgot {
		time.Sleep(2 * auditBound) // what one finds another has to be told of
	}
	within += time.Duration(sim.denials) * deniedBound
	if err := sim.eventually(within, sim.converged); err != nil {
		sim.fail("%v after the end of all faults: %v", within, err)
	}
	sim.checkHistory()
	sim.checkDepartures()
	sim.checkPace()
	if sim.hasFailed() {
		return
	}
	sim.note("at rest: %q", sim.expected())
	sim.fence()
	if sim.forgot { // what was not armed anew would need audits again in the next round
		sim.aim(sim.server.Disconnect, sim.sessions())
		time.Sleep(sim.timeout + time.Duration(sim.denials)*deniedBound)
		sim.forgot = false
	}
	if !sim.pending() {
		sim.denials = 0
		clear(sim.armed)
		probe()
		if err := sim.converged(); err != nil {
			sim.fail("some time later: %v", err)
		}
		sim.checkHistory()
		sim.checkDepartures()
	}
}

// eventually waits until check returns nil, and returns its last error when it did not in time.
func (sim *simulation) eventually(within time.Duration, check func() error) error {
	deadline := time.Now().Add(within)
	for {
		synctest.Wait()
		err := check()
		if err == nil || !time.Now().Before(deadline) {
			return err
		}
		time.Sleep(within / 50)
	}
}

// converged reports what is not as it should be while there are no faults.
func (sim *simulation) converged() error {
	have, err := sim.server.Children("/go_servers")
	want := sim.expected()
	if err != nil {
		return err
	}
	if err := sdtest.Same("registered", want, have); err != nil {
		return err
	}
	for name := range sim.foreign {
		if err := sim.intact(name); err != nil {
			return err
		}
	}
	up, alive := 1, sim.sessions() // the observer is up
	for _, s := range sim.slots {
		if s.process != nil {
			up += s.process.sessions
			if id := s.process.session(); id == 0 || !slices.Contains(alive, id) {
				err = errors.Join(err, fmt.Errorf("session of %s: want one that is alive, have %#x", s.name, id))
			}
			err = errors.Join(err, sim.processConverged(s.process, have))
		}
	}
	if n := len(sim.server.Sessions()); n != up {
		err = errors.Join(err, fmt.Errorf("sessions: want %d, have %d", up, n))
	}
	if n := sim.server.Connections(); n != up {
		err = errors.Join(err, fmt.Errorf("connections: want one for each session, which is %d, have %d", up, n))
	}
	return err
}

// intact returns an error if somebody else's node is not the one that was put.
func (sim *simulation) intact(name string) error {
	put := sim.foreign[name]
	_, stat, err := sim.server.Get("/go_servers/" + name)
	if err != nil || stat.Czxid != put.Czxid {
		return fmt.Errorf("%s, which is somebody else's: want it left alone, have %+v, %v", name, stat, err)
	}
	return nil
}

// processConverged is converged for one process, in a directory of names.
func (sim *simulation) processConverged(p *program, names []string) error {
	sim.mu.Lock()
	wanted := maps.Clone(p.wanted)
	sim.mu.Unlock()
	for name, r := range p.registrars {
		_, foreign := sim.foreign[name]
		want := sd.Withdrawn
		switch {
		case wanted[name] && sim.withheld(name):
			want = sd.Withheld
		case wanted[name] && foreign:
			want = sd.Conflict
		case wanted[name]:
			want = sd.Registered
			data, stat, _ := sim.server.Get("/go_servers/" + name)
			if stat.EphemeralOwner != p.session() {
				return fmt.Errorf("owner of %s: want %#x, the session of %s, have %#x", name, p.session(), p.slot.name, stat.EphemeralOwner)
			}
			if !strings.Contains(string(data), `"id":"`+name+`"`) {
				return fmt.Errorf("data of %s: want its document, have %q", name, data)
			}
			if err := p.steered(name, data); err != nil {
				return err
			}
		}
		if have := r.State(); have.Phase != want {
			return fmt.Errorf("state of %s: want %s, have %v", name, want, have)
		}
	}
	if err := sim.obeys(p); err != nil {
		return err
	}
	valid := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return sd.CheckInstance(s) != nil })
	for _, v := range p.viewers {
		if s := v.State(); s.Phase != sd.Live {
			return fmt.Errorf("state of the client in %s: want %s, have %v", p.slot.name, sd.Live, s)
		}
		for _, w := range v.views {
			have, n := w.last()
			if n == 0 {
				return fmt.Errorf("%s: nothing shown", w.name)
			}
			if err := sdtest.Same(w.name+", shown", valid, have); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHistory compares what was shown, and what was registered, with what the observer saw.
func (sim *simulation) checkHistory() {
	history := sim.observer.turns()
	for _, s := range sim.slots {
		if s.process == nil {
			continue
		}
		for _, v := range s.process.viewers {
			if err := v.Err(); err != nil {
				sim.fail("%s: %v", v.views[0].name, err)
			}
			for _, w := range v.views {
				if err := w.explain(history, sim.late); err != nil {
					sim.fail("%s: %v", w.name, err)
				}
			}
		}
	}
	sim.mu.Lock()
	absent := maps.Clone(sim.absent)
	sim.mu.Unlock()
	for name, since := range absent {
		for _, turn := range history[name] {
			if turn.present && sim.late(turn.at, since) {
				sim.fail("%s: nobody wants it since %.3fs, but it was registered at %.3fs", name, sim.seconds(since), sim.seconds(turn.at))
			}
		}
	}
}

// explain finds, for every set that was shown and every name, a moment when the directory agreed:
// not before the moment that explains the set before it, and not after the set was shown. So what
// was shown never was what never existed, never went back in time, and never lost a name that was
// there all the time.
func (w *view) explain(history map[string][]turn, late func(noted, happened time.Time) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ; w.explained < len(w.sets); w.explained++ {
		set := w.sets[w.explained]
		for name := range set.names {
			if _, known := history[name]; !known {
				return fmt.Errorf("set %d has %s, which never existed", w.explained, name)
			}
		}
		for name, turns := range history {
			if sd.CheckInstance(name) != nil {
				continue
			}
			n := w.at[name] // turns that were told of
			for present(turns, n) != set.names[name] {
				if n++; n > len(turns) || late(turns[n-1].at, set.at) {
					return fmt.Errorf("set %d, shown at %v, says of %s that it is present: %v; that was not so at any time since the set before",
						w.explained, set.at, name, set.names[name])
				}
			}
			w.at[name] = n
		}
	}
	return nil
}

// present reports whether a name is there after n of its turns.
func present(turns []turn, n int) bool { return n > 0 && turns[n-1].present }

// newest returns for each name how many turns it had taken by a certain time.
func (sim *simulation) newest(by time.Time) map[string]int {
	at := map[string]int{}
	for name, turns := range sim.observer.turns() {
		for _, turn := range turns {
			if !turn.at.After(by) {
				at[name]++
			}
		}
	}
	return at
}

// fence notes that everybody knows everything now, and that names nobody wants may not appear.
func (sim *simulation) fence() {
	want := sim.expected()
	for name := range sim.observer.turns() {
		if !slices.Contains(want, name) && !sim.withheld(name) { // it may be lifted
			sim.mu.Lock()
			sim.absent[name] = time.Now()
			sim.mu.Unlock()
		}
	}
	for _, v := range sim.spectators() {
		for _, w := range v.views {
			w.mu.Lock()
			w.at = sim.newest(time.Now())
			w.mu.Unlock()
		}
	}
}

// checkPace checks that no process dialled or listed more than it may.
func (sim *simulation) checkPace() {
	for _, s := range sim.slots {
		if s.process == nil {
			continue
		}
		// In ten seconds: two a second, at the beginning one for each host and the probe, and one
		// that was urgent, which those after it make up for.
		p, most := s.process, 20+s.hosts+2
		dials := p.line.dialTimes()
		for n := range max(0, len(dials)-most) {
			if took := dials[n+most].Sub(dials[n]); took < 10*time.Second {
				sim.fail("%s: %d dials in %v from %.3fs on", s.name, most+1, took, sim.seconds(dials[n]))
				break
			}
		}
		lists := p.backend.Stats().Lists
		if n, most := lists-p.lists, int64(time.Since(sim.settled).Seconds()*10+2)*int64(max(1, s.viewers+1)); n > most {
			sim.fail("%s: %d lists since %.3fs, want %d at most", s.name, n, sim.seconds(sim.settled), most)
		}
		p.lists = lists
	}
	sim.settled = time.Now()
}

func (sim *simulation) seconds(t time.Time) float64 { return t.Sub(sim.began).Seconds() }
