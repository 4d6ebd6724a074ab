package main

import (
	"errors"
	"fmt"
	"sync"

	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/sd"
)

const (
	nobodyNow = "nobody is registered"
	somebody  = "somebody is registered"
)

// An emptyNotice tells a person that there is nobody to ask: once, and again when that is news.
// That a registry does not answer is the Instancer's to say.
type emptyNotice struct {
	registry *registry
	logger   kitlog.Logger
	stop     func() // ends the subscription

	mu   sync.Mutex
	said string // last
}

func newEmptyNotice(r *registry) *emptyNotice {
	n := &emptyNotice{registry: r, logger: r.logger, said: somebody}
	registered := 0
	n.stop = r.Follow(func(c sd.Change) {
		if c.Reset {
			registered = 0
		}
		registered += len(c.Up) - len(c.Down)
		if registered == 0 {
			n.say(nobodyNow)
		} else {
			n.say(somebody)
		}
	})
	return n
}

// explain returns nil if the reason of err, that nobody was there, is or was said in the log, and
// otherwise err with all that is known of it.
func (n *emptyNotice) explain(err error) error {
	if !errors.Is(err, kitlb.ErrNoEndpoints) {
		return err
	}
	s := n.registry.State()
	if n.look(s) || s.Phase != sd.Unknown || n.registry.states.hasWarned() {
		return nil
	}
	return fmt.Errorf("%w: %w", err, s.Err)
}

// look says, of a set that is not known, that nobody answers yet or that there is no directory. Other
// reasons are the Instancer's to say.
func (n *emptyNotice) look(s sd.State) bool {
	if s.Phase != sd.Unknown || s.Err != nil && !errors.Is(s.Err, sd.ErrNoDirectory) {
		return false
	}
	n.say(why(s))
	return true
}

// say logs a sentence unless it was the last one. That somebody is there follows a warning, and is
// not one.
func (n *emptyNotice) say(what string) {
	n.mu.Lock()
	news := n.said != what
	n.said = what
	n.mu.Unlock()
	switch {
	case news && what == somebody:
		level.Info(n.logger).Log("msg", what)
	case news:
		level.Warn(n.logger).Log("msg", what)
	}
}
