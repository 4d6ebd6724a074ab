package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

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

// A registry gives a command the list of servers.
type registry struct {
	*sd.Instancer
	backend  sd.Backend
	target   sd.Target
	snapshot string
	logger   kitlog.Logger // of its messages for the operator: see package statelog
	states   *statelog.Log
	opened   time.Time
}

// schemes are the kinds of registry that the program knows, which report to e.
func schemes(e *telemetry.Exporter) sd.Schemes {
	return sd.Schemes{"zk": e.ZK(""), "etcd": e.Etcd(""), "dns": dns.Open, "file": file.Open,
		"fixed": sd.OpenFixed}
}

// open opens the registry, and waits for nothing. Two kinds of messages of the Instancer can be
// left to the caller: the state, until it unmutes that, and the names that were left out.
func (c *config) open(stdio *shell.Stdio, muted, namesTold bool) (*registry, error) {
	backend, err := schemes(c.exporter).Open(c.sd)
	if err != nil {
		return nil, shell.UsageError("sd", err)
	}
	target, err := sd.ParseTarget(c.sd)
	if err == nil {
		err = c.checkSnapshot(target)
	}
	if err != nil {
		backend.Close()
		return nil, shell.UsageError("snapshot", err)
	}
	if b, ok := backend.(interface{ Target() sd.Target }); ok {
		target = b.Target() // in full, which the snapshot is known by
	}
	r := &registry{backend: backend, target: target, snapshot: c.snapshot, opened: time.Now(),
		states: statelog.New(stdio, !namesTold)}
	r.logger = kitlog.With(r.states, "sd", c.sd)
	r.states.Mute(muted)
	r.Instancer = sd.NewInstancer(backend, r.logger, sd.Snapshot(c.snapshot, target),
		sd.FollowPolicy(),
		c.exporter.Instancer(""))
	return r, nil
}

// checkSnapshot refuses a file that can never be kept, and one for a list that is fixed.
func (c *config) checkSnapshot(target sd.Target) error {
	switch {
	case c.snapshot == "":
		return nil
	case target.Scheme == "fixed":
		return fmt.Errorf("%q: a fixed list needs none", c.snapshot)
	}
	err := sd.CheckSnapshot(c.snapshot)
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "sd: snapshot ")) // as the flag's name says
}

// newLogger returns the logger of every command. Its lines name the registry they are about.
func (c *config) newLogger(stdio *shell.Stdio) kitlog.Logger {
	return kitlog.With(stdio.Logger(), "sd", c.sd)
}

// Close writes the snapshot, among other things.
func (r *registry) Close() {
	r.Stop()
	r.backend.Close()
}

// begin waits startupGrace for the registry if there is a snapshot, and tells with which list the
// run begins.
func (r *registry) begin(ctx context.Context) {
	if r.snapshot == "" {
		return
	}
	state := r.settle(ctx, startupGrace)
	r.states.Mute(false)
	r.tell(state)
	if now := r.State(); now.Phase != state.Phase {
		r.tell(now) // it changed before tell, where a Log has not seen the warning yet
	}
}

// tell repeats the message of the Instancer that was muted, with the age of the list.
func (r *registry) tell(s sd.State) {
	switch {
	case s.Phase == sd.Live:
		level.Info(r.logger).Log("msg", statelog.StatePrefix+string(sd.Live))
	case s.Phase == sd.Stale:
		level.Warn(r.logger).Log("msg", statelog.StatePrefix+string(sd.Stale)+": "+r.age(s), "err",
			s.Err)
	case s.Err != nil:
		level.Warn(r.logger).Log("msg", statelog.StatePrefix+string(sd.Unknown), "err", s.Err)
	}
}

// settle returns the state once it is live, or as it is after timeout or at the end of ctx.
func (r *registry) settle(ctx context.Context, timeout time.Duration) sd.State {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.Await(ctx) // whose error is in the state as well
	return r.State()
}

// age says how old a list is that the registry does not confirm.
func (r *registry) age(stale sd.State) string {
	old := time.Since(stale.Since).Round(time.Second)
	if r.snapshot == "" {
		return fmt.Sprintf("the list is %v old", old) // the registry went away just now
	}
	if !stale.Since.Before(r.opened) { // the file is from the future, and says nothing of its age
		return fmt.Sprintf("the list is from %s, of unknown age", r.snapshot)
	}
	return fmt.Sprintf("the list is from %s, %v old", r.snapshot, old)
}

// maxStrangers is how many names a line shows that are no instances.
const maxStrangers = 3

// leftOut says how many names are no instances, and shows the first of them. Anybody may have
// written them.
func (r *registry) leftOut() string {
	n, names := r.Rejected(), r.Strangers()
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
