package main

import (
	"errors"
	"sync"

	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/sd"
)

const (
	nobodyNow = "nobody is registered"
	nobodyYet = "nobody has registered yet, or the registry is slow to answer" // there is no directory, as far as is known
	somebody  = "somebody is registered"
)

// An absence tells a person that there is nobody to ask: once, and again when that is news. That a registry does not
// answer is the Instancer's to say.
type absence struct {
	instancer *sd.Instancer
	logger    kitlog.Logger
	stop      func() // ends the subscription

	mu   sync.Mutex
	said string // last
}

func watchAbsence(r *registry) *absence {
	a := &absence{instancer: r.Instancer, logger: r.logger, said: somebody}
	registered := 0
	a.stop = r.Follow(func(c sd.Change) {
		if c.Reset {
			registered = 0
		}
		registered += len(c.Up) - len(c.Down)
		if registered == 0 {
			a.say(nobodyNow)
		} else {
			a.say(somebody)
		}
	})
	return a
}

// explains reports whether err means that nobody was there, and has it said.
func (a *absence) explains(err error) bool {
	if !errors.Is(err, kitlb.ErrNoEndpoints) {
		return false
	}
	a.look()
	return true
}

// look is for the directory that does not exist, or of which nothing is known yet: there is no set that could be empty.
func (a *absence) look() {
	if s := a.instancer.State(); s.Phase == sd.Unknown && s.Err == nil {
		a.say(nobodyYet)
	}
}

// say logs what is news. That somebody is there follows a warning, and is not one.
func (a *absence) say(what string) {
	a.mu.Lock()
	news := a.said != what
	a.said = what
	a.mu.Unlock()
	switch {
	case news && what == somebody:
		level.Info(a.logger).Log("msg", what)
	case news:
		level.Warn(a.logger).Log("msg", what)
	}
}
