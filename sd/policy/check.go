package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Check returns all that an operator should know of a document at now, in the order of its lines:
// those that are wrong, those that have expired, and those that match none of the fleet.
func (d Document) Check(fleet []Entry, now time.Time) []*Problem {
	p := d.Compile(now)
	problems := d.Problems(now)
	c := newCensus(p, fleet)
	for _, r := range p.rules {
		if !c.contains(r) {
			problems = append(problems, &Problem{Unmatched, r.Line, 1,
				"no instance matches this line"})
		}
	}
	for _, r := range d.Rules() {
		if r.Expired(now) {
			problems = append(problems, &Problem{Expired, r.Line, 1,
				"expired at " + r.Until.Format(time.RFC3339)})
		}
	}
	slices.SortFunc(problems, func(p, q *Problem) int {
		return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
	})
	return problems
}

// A census is what there is in a fleet, so that a rule is looked up in it.
type census struct {
	any   bool
	addrs []netip.Addr // sorted
	names map[netip.AddrPort]bool
	tags  map[tag]bool // with the zones, as the policy sees them, under the key "zone"
}

func newCensus(p *Policy, fleet []Entry) *census {
	c := &census{len(fleet) > 0, nil, map[netip.AddrPort]bool{}, map[tag]bool{}}
	for _, e := range fleet {
		if ap, err := netip.ParseAddrPort(e.Instance); err == nil {
			c.addrs = append(c.addrs, ap.Addr())
			c.names[ap] = true
		}
		for key, value := range e.Attributes.Tags {
			c.tags[tag{key, value}] = true
		}
		c.tags[tag{"zone", p.Effective(e).Zone}] = true
	}
	slices.SortFunc(c.addrs, netip.Addr.Compare)
	return c
}

// contains reports whether an instance matches r.
func (c *census) contains(r Rule) bool {
	switch s := r.Selector; {
	case r.Verb == Zone:
		return slices.ContainsFunc(r.Prefixes, c.inhabited)
	case s.key == "*":
		return c.any
	case s.key != "":
		return c.tags[tag{s.key, s.value}]
	case s.port != 0:
		return c.names[netip.AddrPortFrom(s.prefix.Addr(), s.port)]
	default:
		return c.inhabited(s.prefix)
	}
}

// inhabited reports whether an instance has an address in p.
func (c *census) inhabited(p netip.Prefix) bool {
	i, _ := slices.BinarySearchFunc(c.addrs, p.Addr(), netip.Addr.Compare)
	return i < len(c.addrs) && p.Contains(c.addrs[i])
}
