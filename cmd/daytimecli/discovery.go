package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/sd"
	"example.com/daytime/sd/dns"
	"example.com/daytime/sd/file"
)

// startupGrace is how long the registry has before a run begins with the list of a file. Package zk
// takes 1 s to say that there is no session.
const startupGrace = 1500 * time.Millisecond

// A discovery gives a command the list of servers: that of the only registry, or the union of
// several.
type discovery struct {
	*sd.Instancer
	parts  []*part
	logger kitlog.Logger // of its messages for the operator: see package statelog
	late   *time.Timer   // tells which of several have not answered; nil: the caller does
}

// A part is one registry of a discovery.
type part struct {
	registry.Registry
	*sd.Instancer
	snapshot string
	states   *statelog.Log
	logger   kitlog.Logger // over states
	opened   time.Time
}

// schemes are the kinds of registry that the program knows, which report to e under a label.
func schemes(e *telemetry.Exporter) func(label string) sd.Schemes {
	return func(label string) sd.Schemes {
		return sd.Schemes{"zk": e.ZK(label), "etcd": e.Etcd(label), "dns": dns.Open,
			"file": file.Open, "fixed": sd.OpenFixed}
	}
}

// open opens the registries, and waits for nothing. Two kinds of messages of the Instancers can be
// left to the caller: the state, until it unmutes that, and the names that were left out.
func (c *config) open(stdio *shell.Stdio, muted, namesTold bool) (*discovery, error) {
	registries, err := registry.Open(c.sd, schemes(c.exporter))
	if err != nil {
		return nil, err
	}
	files, err := c.snapshots(registries)
	if err != nil {
		registries.Close()
		return nil, shell.UsageError("snapshot", err)
	}
	d := &discovery{}
	var parts []sd.Part
	for i, r := range registries {
		p := &part{Registry: r, snapshot: files[i], opened: time.Now(),
			states: statelog.New(stdio, !namesTold)}
		p.logger = kitlog.With(p.states, "sd", r.URL)
		p.states.Mute(muted)
		p.Instancer = sd.NewInstancer(r.Backend, p.logger, sd.Snapshot(p.snapshot, r.Target),
			sd.FollowPolicy(), c.exporter.Instancer(r.Label))
		d.parts = append(d.parts, p)
		parts = append(parts, sd.Part{Name: r.URL, Instancer: p.Instancer})
	}
	d.Instancer, d.logger = d.parts[0].Instancer, d.parts[0].logger
	if len(parts) > 1 {
		d.Instancer = sd.Join(parts, kitlog.NewNopLogger(), c.exporter.Instancer(""))
		d.logger = c.newLogger(stdio)
		if !namesTold {
			d.late = time.AfterFunc(c.timeout, d.tellSilent)
		}
	}
	return d, nil
}

// hasSnapshot reports whether a list is kept.
func (c *config) hasSnapshot() bool {
	return slices.ContainsFunc(c.snapshot, func(file string) bool { return file != "" })
}

// snapshots returns the file of each registry, none where they are not asked for.
func (c *config) snapshots(registries registry.Registries) ([]string, error) {
	files := c.snapshot
	if len(files) == 1 && len(registries) > 1 { // of the environment
		files = strings.Fields(files[0])
	}
	switch {
	case len(files) == 0:
		return make([]string, len(registries)), nil
	case len(files) != len(registries):
		return nil, fmt.Errorf("%q: %s for %d registries; want one for each --sd, in the same "+
			"order",
			strings.Join(files, " "), shell.Count(len(files), "file"), len(registries))
	}
	for i, file := range files {
		if err := checkSnapshot(file, registries[i].Target); err != nil {
			return nil, err
		}
		for _, before := range files[:i] {
			if file != "" && file == before {
				return nil, fmt.Errorf("%q: want another file for each --sd", file)
			}
		}
	}
	return files, nil
}

// checkSnapshot refuses a file that can never be kept, and one for a list that is fixed.
func checkSnapshot(file string, target sd.Target) error {
	switch {
	case file == "":
		return nil
	case target.Scheme == "fixed":
		return fmt.Errorf("%q: a fixed list needs none", file)
	}
	err := sd.CheckSnapshot(file)
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "sd: snapshot ")) // as the flag's name says
}

// newLogger returns the logger of every command. Its lines name the registries they are about.
func (c *config) newLogger(stdio *shell.Stdio) kitlog.Logger {
	return kitlog.With(stdio.Logger(), "sd", c.sd.String())
}

// Close writes the snapshots, among other things. Each registry is ended beside the others.
func (d *discovery) Close() {
	if d.late != nil {
		d.late.Stop()
	}
	d.Stop()
	var closing sync.WaitGroup
	for _, p := range d.parts {
		closing.Go(func() {
			p.Stop()
			p.Backend.Close()
		})
	}
	closing.Wait()
}

// begin waits startupGrace for the registries if there is a snapshot, and tells with which list the
// run begins.
func (d *discovery) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startupGrace)
	defer cancel()
	for _, p := range d.parts {
		if p.snapshot != "" {
			p.Await(ctx) // whose error is in the state as well
		}
	}
	for _, p := range d.parts {
		if p.snapshot != "" {
			p.begin()
		} else {
			p.states.Mute(false)
		}
	}
}

// begin tells with which list of a snapshot the run begins.
func (p *part) begin() {
	state := p.State()
	p.states.Mute(false)
	p.tell(state)
	if now := p.State(); now.Phase != state.Phase {
		p.tell(now) // it changed before tell, where a Log has not seen the warning yet
	}
}

// tell repeats the message of the Instancer that was muted, with the age of the list.
func (p *part) tell(s sd.State) {
	switch {
	case s.Phase == sd.Live:
		level.Info(p.logger).Log("msg", statelog.StatePrefix+string(sd.Live))
	case s.Phase == sd.Stale:
		level.Warn(p.logger).Log("msg", statelog.StatePrefix+string(sd.Stale)+": "+p.age(s), "err",
			s.Err)
	case s.Err != nil:
		level.Warn(p.logger).Log("msg", statelog.StatePrefix+string(sd.Unknown), "err", s.Err)
	}
}

// tellSilent tells which registries have no list, and no error either that was told.
func (d *discovery) tellSilent() {
	for _, p := range d.parts {
		s := p.State()
		if s.Phase == sd.Unknown && (s.Err == nil || errors.Is(s.Err, sd.ErrNoDirectory)) {
			level.Warn(p.logger).Log("msg", statelog.Why(s))
		}
	}
}

// HasWarned reports whether it was told of a registry that it is not live, and is not over.
func (d *discovery) HasWarned() bool {
	for _, p := range d.parts {
		if p.states.HasWarned() {
			return true
		}
	}
	return false
}

// settle returns when every registry has answered, after timeout, or at the end of ctx. The error
// is that of a list of which nothing is known.
func (d *discovery) settle(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	known := false
	for _, p := range d.parts {
		p.Await(ctx) // whose error is in the state as well
		known = known || p.State().Phase != sd.Unknown
	}
	if !known {
		return d.unconfirmed()
	}
	return nil
}

// unconfirmed is the error of the registries that do not confirm their list, or nil.
func (d *discovery) unconfirmed() error {
	var all []error
	for _, p := range d.parts {
		all = append(all, p.unconfirmed())
	}
	return shell.InOneLine(all...)
}

func (p *part) unconfirmed() error {
	switch s := p.State(); s.Phase {
	case sd.Unknown:
		return fmt.Errorf("%s: %s", p.URL, statelog.Why(s))
	case sd.Stale:
		return fmt.Errorf("%s: no answer; %s: %w", p.URL, p.age(s), s.Err)
	}
	return nil
}

// age says how old a list is that the registry does not confirm.
func (p *part) age(stale sd.State) string {
	old := time.Since(stale.Since).Round(time.Second)
	if p.snapshot == "" {
		return fmt.Sprintf("the list is %v old", old) // the registry went away just now
	}
	if !stale.Since.Before(p.opened) { // the file is from the future, and says nothing of its age
		return fmt.Sprintf("the list is from %s, of unknown age", p.snapshot)
	}
	return fmt.Sprintf("the list is from %s, %v old", p.snapshot, old)
}

// maxStrangers is how many names a line shows that are no instances.
const maxStrangers = 3

// leftOut says how many names are no instances, and shows the first of them. Anybody may have
// written them.
func (d *discovery) leftOut() string {
	n, names := d.Rejected(), d.Strangers()
	shown := make([]string, min(len(names), maxStrangers))
	for i := range shown {
		shown[i] = fmt.Sprintf("%.64q", names[i])
	}
	text := fmt.Sprintf("left out %s that cannot be dialled: %s", shell.Count(n, "name"),
		strings.Join(shown, ", "))
	if more := n - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
