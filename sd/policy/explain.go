package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Explanation is how the effective attributes of an instance come about.
type Explanation struct {
	Entry     Entry
	Effective Effective
	Side      Side    // that it belongs to; the rest has no selector
	Matches   []Match // in the order of the document
	Absent    bool    // it is not registered: what it says of itself is not known

	unknown [numVerbs]bool // what depends on that
}

// A Match is a line that selects the instance.
type Match struct {
	Rule Rule
	Role Role
}

// A Role is what a line does in an [Explanation].
type Role int

// The roles.
const (
	Decides    Role = iota // the last of its verb
	Overridden             // a later one decides
	Lapsed                 // it has expired
	LeftOut                // it is wrong: shares add up to more than 100 %
	Possible               // it would decide if it matched, which is not known
)

// String is the role in a word.
func (r Role) String() string {
	return [...]string{"decides", "overridden", "expired", "wrong", "possible"}[r]
}

// Explain returns how the document treats an instance at now. Unlike [Policy.Effective] it scans
// the document, for the lines that match and do not decide.
func (d Document) Explain(e Entry, now time.Time) Explanation {
	p := d.Compile(now)
	eff, l := p.evaluate(e)
	x := Explanation{Entry: e, Effective: eff, Side: p.Sides()[eff.Side]}
	addr, _ := netip.ParseAddrPort(e.Instance)
	for _, r := range d.Rules() {
		if !r.matches(addr, eff.Zone, e.Attributes.Tags) {
			continue
		}
		role := Overridden
		switch n := l[r.Verb]; {
		case r.Expired(now):
			role = Lapsed
		case n > 0 && p.rules[n-1].Line == r.Line:
			role = Decides
		case !slices.ContainsFunc(p.rules, func(q Rule) bool { return q.Line == r.Line }):
			role = LeftOut
		}
		x.Matches = append(x.Matches, Match{r, role})
	}
	return x
}

// String is the explanation, ready to print: for each verb the effective value, and the lines
// that match.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instance   %s\n", visible(x.Entry.Instance))
	own := x.Entry.Attributes.String()
	if x.Absent {
		own = "not registered: weight, zone and tags are not known"
	}
	fmt.Fprintf(&b, "own        %s\n", own)
	side := "the rest"
	if x.Side.Selector != (Selector{}) {
		side = x.Side.Selector.String()
	}
	values := [numVerbs]string{
		Zone:     visible(cmp.Or(x.Effective.Zone, "none")),
		Drain:    yesNo(x.Effective.Drained),
		Withdraw: yesNo(x.Effective.Withdrawn),
		Share:    formatShare(x.Side.Share) + " for " + side,
		Weight:   strconv.Itoa(x.Effective.Weight),
	}
	for v := range Verb(numVerbs) {
		name := [numVerbs]string{"zone", "drained", "withdrawn", "share", "weight"}[v]
		if x.unknown[v] {
			values[v] = x.absentValue(v)
		}
		fmt.Fprintf(&b, "%-10s %s\n", name, values[v])
		for _, m := range x.Matches {
			switch {
			case m.Rule.Verb != v || m.Role == Possible:
			case m.Role == Decides && x.unknown[v]:
				fmt.Fprintf(&b, "           line %d decides otherwise: %v\n", m.Rule.Line, m.Rule)
			default:
				fmt.Fprintf(&b, "           line %d %s: %v\n", m.Rule.Line, m.Role, m.Rule)
			}
		}
	}
	return b.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// String tells the attributes in one line.
func (a Attributes) String() string {
	weight := "weight " + strconv.Itoa(a.EffectiveWeight())
	words := []string{weight, "zone " + visible(cmp.Or(a.Zone, "none"))}
	for key, value := range a.Tags {
		words = append(words, visible(key+"="+value))
	}
	slices.Sort(words[2:])
	if !a.Since.IsZero() {
		words = append(words, "since "+a.Since.UTC().Format(time.RFC3339))
	}
	return strings.Join(words, ", ")
}
