package admin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
)

const (
	maxProblems = 50 // lines of a policy that are shown
	maxTags     = 20 // of a server that are shown
)

// A fleetPart is the section of a directory.
type fleetPart struct {
	Registry string
	Several  bool // there are others
	State    mark
	Since    time.Time
	Why      string // it is not live
	Rows     []fleetRow
	Notices  []string // what is wrong beside the lines of the policy
	Problems []problem
	More     int // problems that are not shown
	Version  int64
	Policy   bool // there is one
	Tally    policy.Tally
	Zones    int

	spared bool // those get calls that are not to
}

// A fleetRow is one server as the registry has it, and as the policy treats it.
type fleetRow struct {
	Instance  string
	Mine      bool // of this process
	State     mark
	Weight    int // its own
	Effective int
	Zone      string
	Tags      []string
	Since     time.Time // zero: unknown
	Drain     *drain
}

// A drain is the line of the policy that drains a server.
type drain struct {
	By, Reason string
	Until      time.Time // zero: for ever
	Line       int
}

// A problem is a line of the policy that an operator should look at.
type problem struct {
	State mark
	Line  int
	Text  string // of the line
	Cause string
}

// newFleetPart shows what l follows, one of several or alone, at now. The servers in mine are this
// process's.
func newFleetPart(l look, mine map[string]bool, now time.Time, several bool) *fleetPart {
	p := &fleetPart{Registry: clip(l.registry), Several: several}
	if l.Instancer == nil {
		p.State, p.Why = idle(string(sd.Unknown)), "It is not followed."
		return p
	}
	state, entries, steering := l.State(), l.Entries(), l.Policy()
	p.State, p.Since = phaseMark(state.Phase), state.Since
	if state.Phase != sd.Live {
		p.Why = whyNot(state)
	}
	compiled := steering.Document.Compile(now)
	p.spared = impact.SharesSuspended(compiled, compiled.EffectiveAll(entries))
	zones := map[string]bool{}
	slices.SortFunc(entries, func(a, b policy.Entry) int {
		return compareInstances(a.Instance, b.Instance)
	})
	for _, e := range entries {
		row := newFleetRow(e, compiled)
		row.Mine = mine[e.Instance]
		p.Rows = append(p.Rows, row)
		p.Tally.Add(compiled.Effective(e))
		zones[row.Zone] = true
	}
	delete(zones, "")
	p.Zones = len(zones)
	p.Policy, p.Version = !steering.Document.IsEmpty(), steering.Version
	p.Notices = p.notices(l.Instancer, steering)
	p.check(steering.Document, entries, now)
	return p
}

// whyNot explains a state that is not live.
func whyNot(s sd.State) string {
	switch {
	case s.Phase == sd.Unknown && s.Err == nil:
		return "The registry has not answered yet."
	case errors.Is(s.Err, sd.ErrNoDirectory):
		return "Nobody has registered there yet: there is no such directory."
	case errors.Is(s.Err, sd.ErrClosed) && s.Phase == sd.Unknown:
		return "It is not followed any more."
	case errors.Is(s.Err, sd.ErrClosed):
		return "It is not followed any more. This is the last list."
	case s.Phase == sd.Unknown:
		return "The registry cannot be read: " + clipError(s.Err)
	case s.Err == nil:
		return "The registry is not read. This is the last list."
	default:
		return "The registry cannot be read. This is the last list: " + clipError(s.Err)
	}
}

func newFleetRow(e policy.Entry, compiled *policy.Policy) fleetRow {
	effective := compiled.Effective(e)
	row := fleetRow{
		Instance:  e.Instance,
		State:     good("listed"),
		Weight:    e.Attributes.EffectiveWeight(),
		Effective: effective.Weight,
		Zone:      clip(effective.Zone),
		Since:     e.Attributes.Since,
	}
	for _, key := range slices.Sorted(maps.Keys(e.Attributes.Tags)) {
		if len(row.Tags) == maxTags {
			row.Tags = append(row.Tags, "…")
			break
		}
		row.Tags = append(row.Tags, clip(key+"="+e.Attributes.Tags[key]))
	}
	switch {
	case effective.Withdrawn:
		row.State = held("withdrawn")
		row.Drain = deciding(compiled, e, policy.Withdraw)
	case effective.Drained:
		row.State = held("drained")
		row.Drain = deciding(compiled, e, policy.Drain)
	case compiled.Spares(effective):
		row.State = idle("share 0 %")
	case effective.Weight == 0:
		row.State = idle("weight 0")
	}
	return row
}

// deciding is the line of a verb that decides about e, nil for none.
func deciding(compiled *policy.Policy, e policy.Entry, verb policy.Verb) *drain {
	rule, ok := compiled.Deciding(e, verb)
	if !ok {
		return nil
	}
	return &drain{clip(rule.By), clip(rule.Reason), rule.Until, rule.Line}
}

// notices are sentences about what is wrong with a directory. Who follows another registry as well
// may find somebody to pick there.
func (p *fleetPart) notices(i *sd.Instancer, steering sd.PolicyState) (notices []string) {
	alone := ""
	if p.Several {
		alone = " by who follows no other registry"
	}
	note := func(format string, args ...any) {
		notices = append(notices, fmt.Sprintf(format, args...))
	}
	if steering.Err != nil {
		note("The policy is not followed, and the one before it is: %s", clipError(steering.Err))
	}
	if p.Tally.DrainsSuspended() {
		note("All servers are drained, so that drains are ignored%s.", alone)
	}
	if p.Tally.WeightsSuspended() {
		note("All weights are 0, so that weights are ignored%s.", alone)
	}
	if p.spared {
		note("Servers with a share of 0 %% are called%s, since nobody else is there.", alone)
	}
	if n := len(steering.Unread); n > 0 {
		note("The attributes of %s could not be read, such as those of %s.",
			plural(n, "server"), clip(steering.Unread[0]))
	}
	if names := i.Strangers(); len(names) > 0 {
		var quoted []string
		for _, name := range names {
			quoted = append(quoted, strconv.Quote(name))
		}
		note("Names that are no addresses are left out: %s.", strings.Join(quoted, ", "))
	}
	return notices
}

// check finds the lines of a policy that are wrong, have expired, or match nobody.
func (p *fleetPart) check(d policy.Document, fleet []policy.Entry, now time.Time) {
	problems := d.Check(fleet, now)
	lines := strings.Split(d.String(), "\n")
	withdraws := map[int]bool{}
	for _, rule := range d.Rules() {
		withdraws[rule.Line] = rule.Verb == policy.Withdraw
	}
	for _, x := range problems {
		if len(p.Problems) == maxProblems {
			p.More = len(problems) - maxProblems
			break
		}
		line := problem{State: problemMark(x.Kind), Line: x.Line, Cause: clip(x.Cause)}
		if x.Kind == policy.Unmatched && withdraws[x.Line] {
			line.State = idle("nobody there")
			line.Cause = "the servers that match it have withdrawn, or are gone"
		}
		if x.Line > 0 && x.Line <= len(lines) {
			line.Text = clip(lines[x.Line-1])
		}
		p.Problems = append(p.Problems, line)
	}
}

func problemMark(k policy.Kind) mark {
	switch k {
	case policy.Wrong:
		return bad("wrong")
	case policy.Expired:
		return idle("expired")
	default:
		return warn("matches nobody")
	}
}

// facts are those of the status.
func (p *fleetPart) facts() []fact {
	text := plural(len(p.Rows), "server")
	if p.Tally.Drained > 0 {
		text += ", " + count(p.Tally.Drained) + " drained"
	}
	if p.Zones > 1 {
		text += ", " + plural(p.Zones, "zone")
	}
	if p.State.Word == string(sd.Unknown) {
		text = "not known yet"
	}
	registry, fleet := "Registry", "Fleet"
	if p.Several {
		registry, fleet = p.Registry, "Fleet there"
	}
	return []fact{{Label: registry, State: &p.State, Text: "since", Since: p.Since},
		{Label: fleet, Text: text}}
}
