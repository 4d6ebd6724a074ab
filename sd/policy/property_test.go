package policy_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
	"pgregory.net/rapid"
)

// The model reads a document a second time, in the plainest way: it knows no index and none of
// the types, scans all lines for each verb, and adds shares up again for each question.
type model struct{ lines [][]string }

func newModel(text string) model {
	var m model
	for _, l := range strings.Split(text, "\n")[1:] {
		m.lines = append(m.lines, strings.Fields(l))
	}
	return m
}

func (m model) selects(sel, name, zone string, tags map[string]string) bool {
	if key, value, ok := strings.Cut(sel, "="); ok {
		return key == "zone" && value == zone || key != "zone" && tags[key] == value
	}
	if sel == "*" || sel == name {
		return true
	}
	addr := netip.MustParseAddrPort(name).Addr()
	if p, err := netip.ParsePrefix(sel); err == nil {
		return p.Contains(addr)
	}
	return sel == addr.String()
}

func (m model) holds(line []string, verb string, now time.Time) bool {
	if len(line) == 0 || line[0] != verb {
		return false
	}
	until, ok := strings.CutPrefix(line[len(line)-1], "until=")
	if !ok {
		return true
	}
	t, err := time.Parse(time.RFC3339, until)
	return err == nil && now.Before(t)
}

// shares are the percentages of the share lines that hold, by the index of the line: a line counts
// if, put in the place of the one before it with its selector, it keeps the sum at 100.
func (m model) shares(now time.Time) map[int]int {
	accepted := map[int]int{}
	for i, line := range m.lines {
		if !m.holds(line, "share", now) {
			continue
		}
		var percent int
		fmt.Sscanf(line[2], "%d%%", &percent)
		sum, newest := percent, map[string]int{}
		for j := range i {
			if p, ok := accepted[j]; ok && m.lines[j][1] != line[1] {
				newest[m.lines[j][1]] = p
			}
		}
		for _, p := range newest {
			sum += p
		}
		if sum <= 100 {
			accepted[i] = percent
		}
	}
	return accepted
}

// A verdict is what the model says of an instance.
type verdict struct {
	weight                 int
	zone, share            string // share: the selector of the side, "" for the rest
	drained, withdrawn     bool
	zoneLine, drainLine    int
	weightLine, sharesLine int
}

func (m model) evaluate(name string, a policy.Attributes, now time.Time) verdict {
	v := verdict{weight: a.EffectiveWeight(), zone: a.Zone}
	for i, line := range m.lines {
		if m.holds(line, "zone", now) {
			for _, cidr := range line[2:] {
				if !strings.Contains(cidr, "=") && m.selects(cidr, name, "", nil) {
					v.zone, v.zoneLine = line[1], i+2
				}
			}
		}
	}
	shares := m.shares(now)
	for i, line := range m.lines {
		if len(line) < 2 || line[0] == "zone" || !m.selects(line[1], name, v.zone, a.Tags) {
			continue
		}
		switch _, isShare := shares[i]; {
		case isShare:
			v.share, v.sharesLine = line[1], i+2
		case m.holds(line, "drain", now):
			v.drained, v.drainLine = true, i+2
		case m.holds(line, "withdraw", now):
			v.drained, v.withdrawn = true, true
		case m.holds(line, "weight", now):
			fmt.Sscan(line[2], &v.weight)
			v.weightLine = i + 2
		}
	}
	return v
}

// The world of the properties is small, so that lines meet.
func genAddr() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3",
		"192.0.3.0",
		"255.255.255.255", "0.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "::1",
		"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
}

func genName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		addr := netip.MustParseAddr(genAddr().Draw(t, "addr"))
		return netip.AddrPortFrom(addr, rapid.SampledFrom([]uint16{1, 2}).Draw(t, "port")).String()
	})
}

func genCIDR() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		addr := netip.MustParseAddr(genAddr().Draw(t, "addr"))
		bits := rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")
		prefix := netip.PrefixFrom(addr, bits).Masked()
		if prefix.Addr().IsUnspecified() && prefix.IsSingleIP() {
			return "10.0.0.0/8"
		}
		return prefix.String()
	})
}

func genSelector() *rapid.Generator[string] {
	isNetwork := func(s string) bool { return !netip.MustParsePrefix(s).IsSingleIP() }
	return rapid.OneOf(genName(), genAddr(), genCIDR().Filter(isNetwork),
		genCIDR().Filter(isNetwork),
		rapid.SampledFrom([]string{"zone=a", "zone=b", "v=1", "v=2", "w=1", "*"}))
}

func genLine() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		verb := rapid.SampledFrom([]string{"zone", "drain", "withdraw", "share", "share",
			"weight", "#"}).Draw(t, "verb")
		text := verb + " " + genSelector().Draw(t, "selector")
		switch verb {
		case "zone":
			cidrs := rapid.SliceOfN(genCIDR(), 1, 3).Draw(t, "cidrs")
			text = "zone " + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "zone") + " " +
				strings.Join(cidrs, " ")
		case "share": // of few selectors and small, so that lines replace each other
			of := rapid.SampledFrom([]string{"v=1", "v=2", "zone=a"}).Draw(t, "of")
			text = fmt.Sprintf("share %s %d%%", of, rapid.IntRange(0, 60).Draw(t, "percent"))
		case "weight":
			text += fmt.Sprintf(" %d", rapid.IntRange(0, 3).Draw(t, "weight"))
		}
		hours := rapid.IntRange(0, 4).Draw(t, "hours")
		if hours > 0 {
			text += " until=" + now.Add(time.Duration(hours)*time.Hour).Format(time.RFC3339)
		}
		return text
	})
}

func genDocument() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		lines := rapid.SliceOfN(genLine(), 0, 12).Draw(t, "lines")
		return policy.Header + "\n" + strings.Join(append(lines, ""), "\n")
	})
}

func genEntry() *rapid.Generator[policy.Entry] {
	return rapid.Custom(func(t *rapid.T) policy.Entry {
		e := entry(genName().Draw(t, "name"), rapid.SampledFrom([]string{"", "zone=a", "zone=b v=1",
			"v=2", "v=1 w=1", "w=2 zone=c"}).Draw(t, "attributes"))
		if w := rapid.IntRange(-1, 3).Draw(t, "own weight"); w >= 0 {
			e.Attributes.Weight = &w
		}
		return e
	})
}

func TestEvaluationIsTheModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genDocument().Draw(t, "document")
		at := now.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "half hours")) * 30 * time.Minute)
		e := genEntry().Draw(t, "entry")
		d, err := policy.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want := newModel(text).evaluate(e.Instance, e.Attributes, at)
		p := d.Compile(at)
		if have := verdictOf(p, e); have != want {
			t.Fatalf("%s%s at %v:\nwant %+v\nhave %+v", text, e.Instance, at, want, have)
		}
		if x := d.Explain(e, at); x.Effective != p.Effective(e) {
			t.Fatalf("explained: want %+v, have %+v", p.Effective(e), x.Effective)
		} else if have := decidingDrain(x); have != want.drainLine {
			t.Fatalf("explained: want drained by line %d, have %d", want.drainLine, have)
		}
	})
}

func decidingDrain(x policy.Explanation) int {
	for _, m := range x.Matches {
		if m.Rule.Verb == policy.Drain && m.Role == policy.Decides {
			return m.Rule.Line
		}
	}
	return 0
}

func verdictOf(p *policy.Policy, e policy.Entry) verdict {
	eff := p.Effective(e)
	v := verdict{weight: eff.Weight, zone: eff.Zone, drained: eff.Drained, withdrawn: eff.Withdrawn,
		share: p.Sides()[eff.Side].Selector.String()}
	for verb, line := range map[policy.Verb]*int{policy.Zone: &v.zoneLine,
		policy.Drain:  &v.drainLine,
		policy.Weight: &v.weightLine, policy.Share: &v.sharesLine} {
		if r, ok := p.Deciding(e, verb); ok {
			*line = r.Line
		}
	}
	if v.share != "" { // in the model's form, which is the document's
		r, _ := p.Deciding(e, policy.Share)
		v.share = r.Selector.String()
	}
	return v
}

// traffic is the part of the calls that each verdict gets: those that can be picked, cut down step
// by step, then divided between the sides that are left.
func (m model) traffic(verdicts []verdict, now time.Time) []float64 {
	keep := func(gets []bool, rule func(verdict) bool) []bool {
		next, some := make([]bool, len(gets)), false
		for i, v := range verdicts {
			next[i] = gets[i] && rule(v)
			some = some || next[i]
		}
		if !some {
			return gets
		}
		return next
	}
	gets := make([]bool, len(verdicts))
	for i, v := range verdicts {
		gets[i] = !v.withdrawn // who leaves the registry
	}
	gets = keep(gets, func(v verdict) bool { return !v.drained })
	gets = keep(gets, func(v verdict) bool { return v.weight > 0 })

	percent := map[string]float64{"": 100}
	shares := m.shares(now)
	for i, line := range m.lines {
		if p, ok := shares[i]; ok {
			percent[""] += percent[line[1]] - float64(p)
			percent[line[1]] = float64(p)
		}
	}
	sum, weights := 0., map[string]float64{}
	for i, v := range verdicts {
		if gets[i] {
			if _, counted := weights[v.share]; !counted {
				sum += percent[v.share]
			}
			weights[v.share] += max(float64(v.weight), 1e-9) // all alike where all are 0
		}
	}
	calls := make([]float64, len(verdicts))
	for i, v := range verdicts {
		if gets[i] {
			part := 1 / float64(len(weights))
			if sum > 0 {
				part = percent[v.share] / sum
			}
			calls[i] = part * max(float64(v.weight), 1e-9) / weights[v.share]
		}
	}
	return calls
}

func TestTrafficIsTheModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genDocument().Draw(t, "document")
		fleet := rapid.SliceOfN(genEntry(), 1, 8).Draw(t, "fleet")
		d, _ := policy.Parse(text)
		p := d.Compile(now)
		have, _ := impact.Traffic(p, p.EffectiveAll(fleet))
		m := newModel(text)
		var verdicts []verdict
		for _, e := range fleet {
			verdicts = append(verdicts, m.evaluate(e.Instance, e.Attributes, now))
		}
		want := m.traffic(verdicts, now)
		for i := range fleet {
			if math.Abs(want[i]-have[i]) > 1e-9 {
				t.Fatalf("%s%v:\nwant %v\nhave %v", text, fleet, want, have)
			}
		}
	})
}

// A rule that is set decides from then on, replaces its like, and leaves all else as it is; removed
// again, nothing of it is left.
func TestSetAndRemove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genDocument().Draw(t, "document")
		d, _ := policy.Parse(text)
		line := genLine().Filter(func(s string) bool { return s[0] != '#' }).Draw(t, "line")
		one, _ := policy.Parse(policy.Header + "\n" + line)
		r := one.Rules()[0]
		next, err := d.Set(r, now)
		if err != nil && r.Verb != policy.Share {
			t.Fatal(err)
		} else if err != nil {
			return
		}
		count := 0
		for _, other := range next.Rules() {
			if other.Verb == r.Verb && other.Selector == r.Selector && other.Zone == r.Zone {
				count++
			}
		}
		if again, _ := policy.Parse(next.String()); count != 1 || again.String() != next.String() {
			t.Fatalf("%s+ %s:\n%s", text, line, next)
		}
		e := genEntry().Draw(t, "entry")
		before, after := d.Compile(now), next.Compile(now)
		if r.Verb == policy.Weight && after.Matches(r.Selector,
			e) && after.Effective(e).Weight != r.Weight {
			t.Fatalf("%s+ %s: %s has the weight %d\n%s", text, line, e.Instance,
				after.Effective(e).Weight, next)
		}
		if r.Verb == policy.Drain && !after.Matches(r.Selector,
			e) && after.Effective(e) != before.Effective(e) {
			t.Fatalf("%s+ %s: %s is changed\n%s", text, line, e.Instance, next)
		}
		if r.Verb != policy.Zone {
			if removed, rules := next.Remove(r.Selector,
				r.Verb); len(rules) != 1 || strings.Contains(
				removed.String(), "\n"+r.String()+"\n") {
				t.Fatalf("%s- %s:\n%s", next, line, removed)
			}
		}
	})
}
