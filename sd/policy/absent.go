package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ExplainAbsent returns how the document treats an instance at now that is not registered, so that
// its own weight, zone and tags are not known. Lines by address decide, as do those by zone if a
// line of the policy gives it its zone. A later line by zone or tag may decide instead: what
// depends on one is unknown. In Effective that is as if no such line matched.
func (d Document) ExplainAbsent(instance string, now time.Time) Explanation {
	p := d.Compile(now)
	x := d.Explain(Entry{Instance: instance}, now)
	x.Absent = true
	_, zoned := p.Deciding(x.Entry, Zone)
	x.unknown[Zone], x.unknown[Weight] = !zoned, true
	for _, m := range x.Matches {
		if m.Role == Decides && m.Rule.Verb == Weight {
			x.unknown[Weight] = false
		}
	}
	for _, r := range p.rules {
		key := r.Selector.key
		if r.Verb == Zone || key == "" || key == "*" || key == "zone" && zoned {
			continue
		}
		decided := slices.IndexFunc(x.Matches, func(m Match) bool {
			return m.Role == Decides && m.Rule.Verb == r.Verb
		})
		drains := r.Verb == Drain || r.Verb == Withdraw
		if decided >= 0 && (drains || x.Matches[decided].Rule.Line > r.Line) {
			continue // whether it matches or not
		}
		if r.Verb == Drain && x.Effective.Drained {
			continue
		}
		x.Matches = append(x.Matches, Match{r, Possible})
		x.unknown[r.Verb] = true
		x.unknown[Drain] = x.unknown[Drain] || drains && !x.Effective.Drained
	}
	slices.SortStableFunc(x.Matches, func(a, b Match) int { return a.Rule.Line - b.Rule.Line })
	return x
}

// absentValue is what is printed of a verb in the place of a value that is not known, with the
// lines that it depends on.
func (x Explanation) absentValue(v Verb) string {
	var may []string
	for _, m := range x.Matches {
		drains := v == Drain && m.Rule.Verb == Withdraw // a withdrawn one is drained as well
		if m.Role == Possible && (m.Rule.Verb == v || drains) {
			may = append(may, fmt.Sprintf("line %d would, of a server that matches: %v",
				m.Rule.Line, m.Rule))
		}
	}
	if len(may) == 0 { // of a zone or a weight
		return "unknown: the server's own"
	}
	return "unknown: " + strings.Join(may, "\n           ")
}
