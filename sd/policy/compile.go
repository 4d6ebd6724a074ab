package policy

import (
	"net/netip"
	"slices"
	"time"
)

// A Policy is a document as it holds at one instant, made for looking instances up. It is never
// changed, and may be used concurrently. A nil *Policy is no policy.
type Policy struct {
	rules  []Rule    // that hold, in the order of the document
	expiry time.Time // when the first rule expires; zero: none does
	sides  []Side    // the first is the rest
	side   []int     // of each rule with the verb Share

	all   last // what matches every instance
	spans []span
	names map[netip.AddrPort]last
	zones map[string]last
	tags  map[tag]last
}

// last is, for each verb, the number of a rule, from 1: the last one that matches. 0: none does.
type last [numVerbs]int32

func (l *last) merge(o last) {
	for v := range l {
		l[v] = max(l[v], o[v])
	}
}

type tag struct{ key, value string }

// Compile returns the policy as it holds from now until [Policy.NextExpiry]. Expired rules are not
// in it, so that a lookup asks no clock. It takes about a millisecond for 2,000 lines.
func (d Document) Compile(now time.Time) *Policy {
	p := &Policy{
		names: map[netip.AddrPort]last{},
		zones: map[string]last{},
		tags:  map[tag]last{},
	}
	p.rules, _ = d.inForce(now)
	var blocks []block
	for i, r := range p.rules {
		if !r.Until.IsZero() && (p.expiry.IsZero() || r.Until.Before(p.expiry)) {
			p.expiry = r.Until
		}
		var l last
		l[r.Verb] = int32(i + 1)
		if r.Verb == Zone {
			for _, prefix := range r.Prefixes {
				blocks = append(blocks, block{prefix, l})
			}
		} else if block, ok := p.add(r.Selector, l); ok {
			blocks = append(blocks, block)
		}
	}
	p.spans = spansOf(blocks)
	p.addSides()
	return p
}

// add puts a rule where it is looked up. For a network it returns the block that does this.
func (p *Policy) add(s Selector, l last) (_ block, ok bool) {
	switch {
	case s.key == "*":
		p.all.merge(l)
	case s.key == "zone":
		merge(p.zones, s.value, l)
	case s.key != "":
		merge(p.tags, tag{s.key, s.value}, l)
	case s.port != 0:
		merge(p.names, netip.AddrPortFrom(s.prefix.Addr(), s.port), l)
	default:
		return block{s.prefix, l}, true
	}
	return block{}, false
}

func merge[K comparable](m map[K]last, key K, l last) {
	l.merge(m[key])
	m[key] = l
}

// addSides gives every share a side. Those of one selector are one side, and the last one decides
// how much it gets.
func (p *Policy) addSides() {
	p.sides = []Side{{Share: wholeShare}}
	p.side = make([]int, len(p.rules))
	sides := map[Selector]int{}
	for i, r := range p.rules {
		if r.Verb != Share {
			continue
		}
		side, ok := sides[r.Selector]
		if !ok {
			side, sides[r.Selector] = len(p.sides), len(p.sides)
			p.sides = append(p.sides, Side{Selector: r.Selector})
		}
		p.sides[0].Share += p.sides[side].Share - r.Share
		p.sides[side].Share, p.side[i] = r.Share, side
	}
}

// NextExpiry is when the first rule expires. From then on the document is to be compiled again. A
// timer that fires early is harmless: the policy compiled then has the same expiry. False: no rule
// has an end.
func (p *Policy) NextExpiry() (time.Time, bool) {
	if p == nil {
		return time.Time{}, false
	}
	return p.expiry, !p.expiry.IsZero()
}

// A block is a network and the rule that names it.
type block struct {
	prefix netip.Prefix
	last   last
}

// A span is the addresses from one to the next span's, all of which match the same rules.
type span struct {
	from netip.Addr
	last last
}

// spansOf cuts the addresses at the borders of all blocks. Of two networks one lies within the
// other, or they are disjoint. So, in order of the first address and with the larger network first,
// the networks that are open at an address are a stack, and the rules of the top one are those of
// all of them. Where a network closes, the one below it goes on.
func spansOf(blocks []block) []span {
	slices.SortFunc(blocks, func(a, b block) int { return a.prefix.Compare(b.prefix) })
	var spans []span
	begin := func(from netip.Addr, l last) {
		if n := len(spans); n > 0 && spans[n-1].from == from {
			spans[n-1].last = l
		} else {
			spans = append(spans, span{from, l})
		}
	}
	var open []block // each within the one before, and with its rules
	closeTop := func() {
		after := lastAddr(open[len(open)-1].prefix).Next() // invalid after the highest address
		open = open[:len(open)-1]
		var outer last
		if len(open) > 0 {
			outer = open[len(open)-1].last
		}
		if after.IsValid() {
			begin(after, outer)
		}
	}
	for _, b := range blocks {
		for len(open) > 0 && !open[len(open)-1].prefix.Contains(b.prefix.Addr()) {
			closeTop()
		}
		if len(open) > 0 {
			b.last.merge(open[len(open)-1].last)
		}
		open = append(open, b)
		begin(b.prefix.Addr(), b.last)
	}
	for len(open) > 0 {
		closeTop()
	}
	return spans
}

// lastAddr is the highest address of a network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// find returns what matches address a.
func (p *Policy) find(a netip.Addr) last {
	low, high := 0, len(p.spans) // the spans before low begin at or before a
	for low < high {
		if middle := (low + high) / 2; p.spans[middle].from.Compare(a) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 || p.spans[low-1].from.Is4() != a.Is4() { // the highest of IPv4 goes no further
		return last{}
	}
	return p.spans[low-1].last
}
