package policy

import "net/netip"

// Effective is what an instance's attributes and the policy come to. Two that are equal treat
// an instance alike, as long as the policy is the same.
type Effective struct {
	Weight    int    // 0 to [MaxWeight]; at 0 it is not picked while one of more weight can be
	Zone      string // "": none
	Drained   bool   // by a drain or a withdraw line
	Withdrawn bool   // its own registrar takes the entry away
	Side      int    // of [Policy.Sides]; 0: the rest
}

// Beside returns what e comes to if the instance is in a second directory as well, whose attributes
// and policy come to other: it is drained if either says so. The rest is e's.
func (e Effective) Beside(other Effective) Effective {
	e.Drained = e.Drained || other.Drained
	e.Withdrawn = e.Withdrawn || other.Withdrawn
	return e
}

// Effective returns what the policy makes of an instance. It looks the instance up and scans
// nothing: its cost grows with the logarithm of the number of lines and with the number of tags.
func (p *Policy) Effective(e Entry) Effective {
	eff, _ := p.evaluate(e)
	return eff
}

// Deciding returns the rule of a verb that decides about an instance: the last one that matches it.
// An instance can be drained by a rule of Withdraw alone. False: no rule of the verb matches.
func (p *Policy) Deciding(e Entry, v Verb) (Rule, bool) {
	_, l := p.evaluate(e)
	if l[v] == 0 {
		return Rule{}, false
	}
	return p.rules[l[v]-1], true
}

func (p *Policy) evaluate(e Entry) (Effective, last) {
	eff := Effective{Weight: e.Attributes.EffectiveWeight(), Zone: e.Attributes.Zone}
	if p == nil {
		return eff, last{}
	}
	l := p.all
	if ap, err := netip.ParseAddrPort(e.Instance); err == nil && ap.Addr().Zone() == "" {
		l.merge(p.find(ap.Addr()))
		if len(p.names) > 0 {
			l.merge(p.names[ap])
		}
	}
	if l[Zone] > 0 {
		eff.Zone = p.rules[l[Zone]-1].Zone
	}
	if len(p.zones) > 0 {
		l.merge(p.zones[eff.Zone])
	}
	if len(p.tags) > 0 {
		for key, value := range e.Attributes.Tags {
			l.merge(p.tags[tag{key, value}])
		}
	}
	eff.Withdrawn = l[Withdraw] > 0
	eff.Drained = eff.Withdrawn || l[Drain] > 0
	if l[Share] > 0 {
		eff.Side = p.side[l[Share]-1]
	}
	if l[Weight] > 0 {
		eff.Weight = p.rules[l[Weight]-1].Weight
	}
	return eff, l
}

// Matches reports whether s selects an instance, with the zone that the policy gives it.
func (p *Policy) Matches(s Selector, e Entry) bool {
	ap, _ := netip.ParseAddrPort(e.Instance)
	return s.matches(ap, p.Effective(e).Zone, e.Attributes.Tags)
}

// A Side is instances that share a part of the calls.
type Side struct {
	Share    int      // in basis points, 100 to a percent
	Selector Selector // zero for the rest
}

// String is like "10% of version=2", or "90% of the rest".
func (s Side) String() string {
	whose := "the rest"
	if s.Selector != (Selector{}) {
		whose = s.Selector.String()
	}
	return formatShare(s.Share) + " of " + whose
}

// Sides are what the calls are split between. The first is the rest, to which those belong that
// no share line matches; without share lines it is the only one.
func (p *Policy) Sides() []Side {
	if p == nil {
		return []Side{{Share: wholeShare}}
	}
	return p.sides
}

// Spares reports whether the policy says of an instance, as it makes it, that it is not to be called
// while others can be: by a drain, or by a share of 0 %. The rest is never spared: that nothing is
// left for it, nobody says.
func (p *Policy) Spares(e Effective) bool {
	return e.Drained || e.Side > 0 && p.Sides()[e.Side].Share == 0
}

// Split returns the part of the calls, of 1, that each side gets. The part of a side that is empty
// goes to the others, in proportion to theirs; if these have none, in equal parts. If all sides
// are empty nobody gets anything.
//
// What makes a side empty the caller knows: a picker asks for instances that are ready now.
func Split(sides []Side, isEmpty func(side int) bool) []float64 {
	parts := make([]float64, len(sides))
	sum, open := 0, 0
	for i, side := range sides {
		if !isEmpty(i) {
			sum, open = sum+side.Share, open+1
		}
	}
	for i, side := range sides {
		switch {
		case isEmpty(i):
		case sum > 0:
			parts[i] = float64(side.Share) / float64(sum)
		default:
			parts[i] = 1 / float64(open)
		}
	}
	return parts
}

// A Tally counts a fleet, one instance at a time, so that a change of the membership costs that
// instance.
type Tally struct {
	Instances int
	Drained   int // withdrawn ones included
	Withdrawn int
	Weighted  int // not drained, and of a weight above 0
}

// Add counts an instance.
func (t *Tally) Add(e Effective) { t.count(e, 1) }

// Remove takes an instance out again that was added as e.
func (t *Tally) Remove(e Effective) { t.count(e, -1) }

func (t *Tally) count(e Effective, n int) {
	t.Instances += n
	switch {
	case e.Drained:
		t.Drained += n
	case e.Weight > 0:
		t.Weighted += n
	}
	if e.Withdrawn {
		t.Withdrawn += n
	}
}

// DrainsSuspended reports whether every instance is drained, so that drained ones are picked.
func (t Tally) DrainsSuspended() bool { return t.Instances > 0 && t.Drained == t.Instances }

// WeightsSuspended reports whether every instance that is not drained has the weight 0, so that
// weights are ignored.
func (t Tally) WeightsSuspended() bool { return t.Drained < t.Instances && t.Weighted == 0 }
