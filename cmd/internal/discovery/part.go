package discovery

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A Part is one registry of a discovery.
type Part struct {
	registry.Registry
	*sd.Instancer
	snapshot string
	states   *statelog.Log
	Logger   kitlog.Logger // of its messages for the operator
	opened   time.Time
	steered  atomic.Bool // a policy could be read, or there is none to be read
}

func newPart(r registry.Registry, file string, o Options) *Part {
	p := &Part{Registry: r, snapshot: file, opened: time.Now(),
		states: statelog.New(o.Stdio, !o.NamesTold)}
	p.Logger = kitlog.With(p.states, "sd", r.URL)
	p.states.Mute(o.Muted)
	p.Instancer = sd.NewInstancer(r.Backend, p.Logger, sd.Snapshot(file, r.Target),
		sd.FollowPolicy(), o.Exporter.Instancer(r.Label))
	return p
}

// begin tells with which list of a snapshot the run begins.
func (p *Part) begin() {
	state := p.State()
	p.states.Mute(false)
	p.tell(state)
	if now := p.State(); now.Phase != state.Phase {
		p.tell(now) // it changed before tell, where a Log has not seen the warning yet
	}
}

// tell repeats the message of the Instancer that was muted, with the age of the list.
func (p *Part) tell(s sd.State) {
	switch {
	case s.Phase == sd.Live:
		level.Info(p.Logger).Log("msg", statelog.StatePrefix+string(sd.Live))
	case s.Phase == sd.Stale:
		level.Warn(p.Logger).Log("msg", statelog.StatePrefix+string(sd.Stale)+": "+p.age(s), "err",
			s.Err)
	case s.Err != nil:
		level.Warn(p.Logger).Log("msg", statelog.StatePrefix+string(sd.Unknown), "err", s.Err)
	}
}

// Unconfirmed is the error of one that does not confirm its list, or nil.
func (p *Part) Unconfirmed() error {
	switch s := p.State(); s.Phase {
	case sd.Unknown:
		return fmt.Errorf("%s: %s", p.URL, statelog.Why(s))
	case sd.Stale:
		return fmt.Errorf("%s: no answer; %s: %w", p.URL, p.age(s), s.Err)
	}
	return nil
}

// lacking is what Discovery.Lacking says of one. A policy that could be read holds until the next that
// can.
func (p *Part) lacking() error {
	if s := p.State(); s.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", p.URL, statelog.Why(s))
	}
	followed := p.Policy()
	if _, none := sd.PolicyOf(p.Backend); none != nil || followed.Err == nil {
		p.steered.Store(true)
	}
	if p.steered.Load() {
		return nil
	}
	return fmt.Errorf("%s: the policy is not known: %w", p.URL, followed.Err)
}

// age says how old a list is that the registry does not confirm.
func (p *Part) age(stale sd.State) string {
	old := time.Since(stale.Since).Round(time.Second)
	if p.snapshot == "" {
		return fmt.Sprintf("the list is %v old", old) // the registry went away just now
	}
	if !stale.Since.Before(p.opened) { // the file is from the future, and says nothing of its age
		return fmt.Sprintf("the list is from %s, of unknown age", p.snapshot)
	}
	return fmt.Sprintf("the list is from %s, %v old", p.snapshot, old)
}

// Explain explains how the policy of one registry treats an instance, and logs what is
// uncertain of it.
func (p *Part) Explain(instance string) policy.Explanation {
	entries, followed := p.Entries(), p.Policy()
	entry := policy.Entry{Instance: instance}
	n := slices.IndexFunc(entries, func(e policy.Entry) bool { return e.Instance == instance })
	if n >= 0 {
		entry = entries[n]
	} else {
		level.Warn(p.Logger).Log("msg", instance+" is not registered")
	}
	switch _, err := sd.PolicyOf(p.Backend); {
	case err != nil: // there is none to be read, and none that could be read before
		level.Info(p.Logger).Log("msg", "this registry has no policy")
	case followed.Err != nil:
		level.Warn(p.Logger).Log("msg", "this is the last policy that could be read", "err",
			followed.Err)
	}
	if n < 0 {
		return followed.Document.ExplainAbsent(instance, time.Now())
	}
	return followed.Document.Explain(entry, time.Now())
}
