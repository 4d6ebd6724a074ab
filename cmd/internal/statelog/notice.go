package statelog

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/sd"
)

const (
	// Nobody is told when there is nobody to ask.
	Nobody   = "nobody is registered"
	somebody = "somebody is registered"
)

var errNobody = errors.New(Nobody)

// A Notice tells a person that there is nobody to ask: once, and again when that is news.
// That a registry does not answer is the Instancer's to say.
type Notice struct {
	source Source
	states Warner
	logger kitlog.Logger
	stop   func() // ends the subscription

	mu   sync.Mutex
	said string // last
}

// A Source is what a Notice watches: an sd.Instancer.
type Source interface {
	Follow(func(sd.Change)) (stop func())
	State() sd.State
}

// A Warner has told that discovery is not live, or not: a Log.
type Warner interface{ HasWarned() bool }

// NewNotice returns a Notice about a source, whose own log is states. The caller must Stop it.
func NewNotice(source Source, states Warner, logger kitlog.Logger) *Notice {
	n := &Notice{source: source, states: states, logger: logger, said: somebody}
	registered := 0
	n.stop = source.Follow(func(c sd.Change) {
		if c.Reset {
			registered = 0
		}
		registered += len(c.Up) - len(c.Down)
		if registered == 0 {
			n.say(Nobody)
		} else {
			n.say(somebody)
		}
	})
	return n
}

// Explain returns nil if the reason of err, that nobody was there, is or was said in the log, and
// otherwise Full.
func (n *Notice) Explain(err error) error {
	if !errors.Is(err, kitlb.ErrNoEndpoints) {
		return err
	}
	s := n.source.State()
	if n.Look(s) || s.Phase != sd.Unknown || n.states.HasWarned() {
		return nil
	}
	return n.Full(err)
}

// Full is err with all that is known of why nobody was there, for who does not see the log's
// warnings.
func (n *Notice) Full(err error) error {
	if !errors.Is(err, kitlb.ErrNoEndpoints) {
		return err
	}
	if why := n.source.State().Err; why != nil {
		return because(err, why)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.said == Nobody {
		return because(err, errNobody)
	}
	return err
}

// because is err with the reason, unless its text has that: the one of a Pool often does.
func because(err, reason error) error {
	if strings.Contains(err.Error(), reason.Error()) {
		return err
	}
	return fmt.Errorf("%w: %w", err, reason)
}

// Look says, of a set that is not known, that nobody answers yet or that there is no directory.
// Other reasons are the Instancer's to say.
func (n *Notice) Look(s sd.State) bool {
	if s.Phase != sd.Unknown || s.Err != nil && !errors.Is(s.Err, sd.ErrNoDirectory) {
		return false
	}
	n.say(Why(s))
	return true
}

// say logs a sentence unless it was the last one. That somebody is there follows a warning, and is
// not one.
func (n *Notice) say(what string) {
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

// Stop ends it.
func (n *Notice) Stop() { n.stop() }

// Why explains a set that is not known.
func Why(s sd.State) string {
	switch {
	case s.Err == nil:
		return "no answer yet"
	case errors.Is(s.Err, sd.ErrNoDirectory):
		return s.Err.Error()
	default:
		return fmt.Sprintf("cannot be read: %v", s.Err)
	}
}
