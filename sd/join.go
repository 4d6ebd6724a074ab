package sd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/internal/instance"
	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/internal/signal"
	"example.com/daytime/sd/internal/statevar"
	"example.com/daytime/sd/internal/union"
	"example.com/daytime/sd/policy"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// joinTimeout is how long a union waits for all of its parts, and goes without some.
const joinTimeout = time.Second

// A Part is one registry of a union.
type Part struct {
	Name string // for State and errors, such as the target
	*Instancer
}

// A PartState is what one registry of a union contributes. Its Err says only what is wrong with
// that registry.
type PartState struct {
	Name string
	State
	Instances int // that it has, also while it is stale
	Rejected  int // see [Instancer.Rejected]
	Strangers []string
	Policy    PolicyState
}

// Join returns the union of parts: one Instancer for a client whose servers are registered in
// several registries, for instance while they move from one to another. Each instance is in it
// once. It follows the parts until its own Stop, which leaves them as they are; they are stopped by
// their owner, after it. No part waits for another.
//
// The union begins when every part has a set, which may be that of a [Snapshot], or when one has
// and 1 s has passed since Join. A part that has none contributes nothing, a part that is stale
// what it had. An instance leaves the union with the last part that has it, and withdrew if that is
// how it left that one.
//
// Each part evaluates its own policy for its own instances, if it has [FollowPolicy]. An instance
// is drained if any part says so; attributes, weight and zone are those of the first part that has
// it, and the calls are split by the first part with a share line. Whether a policy leaves anybody to
// pick is the union's to say, and not a part's any more.
//
// The State is live while one part is, and stale while none is; its error names the parts that are
// not, and what is wrong with the policy of any. So Await returns as soon as the union has begun
// with a part that is live. Parts has the state of each. A phase of the union is one line in the
// log; the parts have their own.
//
// Of the options [InstancerInstruments] is for the union; the others are for its parts, and without
// effect here.
func Join(parts []Part, logger kitlog.Logger, options ...InstancerOption) *Instancer {
	ctx, i := newInstancer(logger)
	i.joint = &joint{
		parts: slices.Clone(parts),
		wake:  signal.New(),
		union: union.New(len(parts)),
	}
	for _, p := range parts {
		p.joined.Store(true)
	}
	i.begin(i.logJoint)
	for _, option := range options {
		option(i)
	}
	i.saver, i.steering = nil, nil
	go i.followParts(ctx)
	return i
}

// A joint is what makes an Instancer a union. The loop alone uses what follows parts.
type joint struct {
	parts   []Part // never changed
	wake    signal.Signal
	readers []*fanout.Reader
	union   *union.Union
	begun   bool
}

// followParts merges what the parts tell, until Stop.
func (i *Instancer) followParts(ctx context.Context) {
	defer close(i.done)
	defer i.joint.subscribe()()
	timeout := time.NewTimer(joinTimeout)
	defer timeout.Stop()
	for late := false; ; {
		i.merge(late)
		select {
		case <-ctx.Done():
			return
		case <-i.joint.wake:
		case <-timeout.C:
			late = true
		}
	}
}

// subscribe has the loop woken by every part, until the function it returns is called.
func (j *joint) subscribe() (stop func()) {
	var ends []func()
	for _, p := range j.parts {
		reader := p.fanout.NewReader(j.wake.Set)
		j.readers = append(j.readers, reader)
		ends = append(ends, reader.Close, p.States(func(State) { j.wake.Set() }))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// merge takes in what is new. What a part tells belongs to the state that it has then, so that a
// subscriber which is told of the union finds its state, and the other way round.
func (i *Instancer) merge(late bool) {
	j := i.joint
	var states []union.State
	var measured instruments.Policy
	now := time.Now()
	for n, p := range j.parts {
		c, s, m := p.news(j.readers[n])
		if s.Phase == string(Unknown) && s.Err == nil {
			s.Err = p.diagnosis() // no lock is held, since the backend has locks of its own
		}
		j.union.Add(n, c, now)
		states = append(states, s)
		measured.Add(m)
	}
	known := j.union.Known()
	begins := !j.begun && known > 0 && (late || known == len(j.parts))
	j.begun = j.begun || begins
	i.mu.Lock()
	if j.begun {
		i.fanout.Apply(j.union.Flush())
	}
	phase, tally := j.phase(states), i.fanout.Tally()
	i.state.Set(phase, union.Reason(states, j.begun, tally))
	if begins && phase == Stale {
		i.state.Backdate(union.Latest(states, string(Stale))) // when they were last confirmed
	}
	i.mu.Unlock()
	if j.begun {
		i.index()
	}
	if i.meters != nil {
		measured.Drains, measured.Weights = tally.DrainsSuspended(), tally.WeightsSuspended()
		i.meters.SetPolicy(measured)
	}
}

// news returns what is new in the set, and the state that it belongs to. Whether the policy leaves
// anybody to pick depends on the other parts, so the state does not say it.
func (p Part) news(r *fanout.Reader) (c fanout.Change, s union.State, m instruments.Policy) {
	if p.steering != nil {
		p.steering.mu.Lock()
		defer p.steering.mu.Unlock()
		_, has := p.backend.(PolicyStore)
		m = p.steering.evaluator.Measures(has, policy.Tally{})
	}
	p.mu.Lock()
	c, s = r.Take(), p.stateIn(stateOf(p.state.Get()))
	p.mu.Unlock()
	if s.Live && p.steering != nil {
		s.Err = p.policyWarning(policy.Tally{})
	}
	return c, s, m
}

// stateIn is a state of the part in a union.
func (p Part) stateIn(s State) union.State {
	return union.State{Name: p.Name, Phase: string(s.Phase), Live: s.Phase == Live, Since: s.Since,
		Err: s.Err}
}

// phase is that of a union of parts in these states.
func (j *joint) phase(states []union.State) Phase {
	switch {
	case !j.begun:
		return Unknown
	case union.Live(states) > 0:
		return Live
	}
	return Stale
}

// in returns the state with those of the parts. Without a union, in which j is nil, it is s.
func (j *joint) in(s State) State {
	if j == nil {
		return s
	}
	var states []union.State
	for _, p := range j.parts {
		own := p.State()
		states = append(states, p.stateIn(own))
		s.Parts = append(s.Parts,
			PartState{p.Name, own, p.fanout.Size(), p.Rejected(), p.Strangers(), p.Policy()})
	}
	if s.Phase == Unknown && s.Err != errStopped {
		s.Err = union.Reason(states, false, policy.Tally{})
	}
	return s
}

// logJoint writes the line of a state. The errors are in the lines of the parts.
func (i *Instancer) logJoint(s statevar.State[Phase], lasts time.Duration) {
	var states []union.State
	for _, p := range i.joint.parts {
		states = append(states, p.stateIn(stateOf(p.state.Get())))
	}
	line := []any{"msg", "discovery " + string(s.Phase), "instances", i.fanout.Size(),
		"registries", len(states), "live", union.Live(states)}
	if lasts > 0 {
		line = append(line, "for", lasts.Round(time.Second))
	}
	if s.Phase == Live {
		level.Info(i.logger).Log(line...)
		return
	}
	level.Warn(i.logger).Log(line...)
}

// policy is what the policies of the parts have in common.
func (j *joint) policy(tally policy.Tally) PolicyState {
	all := PolicyState{Tally: tally}
	var failed []error
	for _, p := range j.parts {
		own := p.Policy()
		all.Unread = append(all.Unread, own.Unread...)
		if own.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.Name, own.Err))
		}
	}
	slices.Sort(all.Unread)
	all.Unread = slices.Compact(all.Unread)
	all.Err = fanout.InOneLine(failed)
	return all
}

// entries are names with the attributes that the first part says.
func (j *joint) entries(names []string) (entries []policy.Entry) {
	said := map[string]policy.Entry{}
	for _, p := range slices.Backward(j.parts) {
		for _, e := range p.Entries() {
			said[e.Instance] = e
		}
	}
	for _, name := range names {
		entries = append(entries, policy.Entry{Instance: name,
			Attributes: said[name].Attributes})
	}
	return entries
}

func (j *joint) leftOut() (all instance.Strangers) {
	for _, p := range j.parts {
		all.Join(p.Instancer.leftOut())
	}
	return all
}
