// Package impact tells what a change of a policy does to a fleet, before it is made: who is treated
// differently, which part of the calls they get before and after, and how much of the fleet's weight
// is left.
package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/daytime/sd/policy"
)

// A Report is what a change of the policy does to a fleet.
type Report struct {
	Instances int
	Affected  []Affected   // in the order of the fleet
	Before    float64      // the part of the calls, of 1, that the affected get before
	After     float64      // and after
	Left      float64      // the part of the fleet's weight that gets calls after; see Refused
	Refused   bool         // fewer than half of the weight is left, and fewer than before; see Compare
	Tally     policy.Tally // after
}

// Affected is an instance that the change treats differently.
type Affected struct {
	Instance string
	Changes  string // in words, such as "undrained -> drained, weight 100 -> 50"
}

// Compare returns what it means for a fleet that after follows before.
//
// The weight of the fleet is that of all its instances, drained or not, each with the greater
// of its weights before and after. What is left of it is the weight of those that are to get
// calls: a weight of 0 and a share of 0 % take a server away as a drain does, also where it gets
// calls for want of others. Where nobody is to get calls, before and after, what counts instead is the
// weight of those that do.
func Compare(before, after *policy.Policy, fleet []policy.Entry) Report {
	was, is := before.EffectiveAll(fleet), after.EffectiveAll(fleet)
	callsWere, _ := Traffic(before, was)
	calls, tally := Traffic(after, is)
	sameSides := slices.Equal(before.Sides(), after.Sides())
	report := Report{Instances: len(fleet), Left: 1, Tally: tally}
	var all, leftBefore, left, calledBefore, called capacity
	for i, e := range fleet {
		all.add(max(was[i].Weight, is[i].Weight))
		leftBefore.addIf(!before.Spares(was[i]) && callsWere[i] > 0, was[i].Weight)
		left.addIf(!after.Spares(is[i]) && calls[i] > 0, is[i].Weight)
		calledBefore.addIf(callsWere[i] > 0, was[i].Weight)
		called.addIf(calls[i] > 0, is[i].Weight)
		if was[i] == is[i] && sameSides {
			continue
		}
		if words := changes(inWords(before, was[i]), inWords(after, is[i])); words != "" {
			report.Affected = append(report.Affected, Affected{e.Instance, words})
			report.Before += callsWere[i]
			report.After += calls[i]
		}
	}
	if len(fleet) > 0 {
		report.Left = left.of(all)
		if left.instances+leftBefore.instances == 0 {
			left, leftBefore = called, calledBefore
		}
		report.Refused = left.of(all) < 0.5 && left.of(all) < leftBefore.of(all)
	}
	return report
}

// A capacity is instances and the sum of their weights.
type capacity struct{ weight, instances int }

func (c *capacity) add(weight int) {
	c.weight += weight
	c.instances++
}

func (c *capacity) addIf(counts bool, weight int) {
	if counts {
		c.add(weight)
	}
}

// of returns c as a part of all: by weight, or by number where all weights are 0.
func (c capacity) of(all capacity) float64 {
	if all.weight == 0 {
		return float64(c.instances) / float64(all.instances)
	}
	return float64(c.weight) / float64(all.weight)
}

// inWords tells state, weight, zone and share, in words that mean the same under any policy.
func inWords(p *policy.Policy, e policy.Effective) [4]string {
	state, share := "undrained", "the rest"
	if e.Withdrawn {
		state = "withdrawn"
	} else if e.Drained {
		state = "drained"
	}
	if e.Side > 0 {
		share = p.Sides()[e.Side].String()
	}
	return [4]string{state, strconv.Itoa(e.Weight), cmp.Or(e.Zone, "none"), share}
}

// changes tells how the words of an instance differ, or nothing.
func changes(before, after [4]string) string {
	var words []string
	for i, label := range []string{"", "weight ", "zone ", "share "} {
		if before[i] != after[i] {
			words = append(words, label+before[i]+" -> "+after[i])
		}
	}
	return strings.Join(words, ", ")
}

// maxNamed is how many of the affected are printed.
const maxNamed = 20

// String tells the report, ready to print: the sum, a line for each instance that is affected, of
// which it names twenty, and what is left.
func (r Report) String() string {
	var b strings.Builder
	noun := "instances"
	if r.Instances == 1 {
		noun = "instance"
	}
	fmt.Fprintf(&b, "affects %d of %d %s, which get %.1f%% of the calls, and %.1f%% after\n",
		len(r.Affected), r.Instances, noun, 100*r.Before, 100*r.After)
	for n, a := range r.Affected {
		if n == maxNamed {
			fmt.Fprintf(&b, "  and %d more\n", len(r.Affected)-n)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", a.Instance, a.Changes)
	}
	switch {
	case r.Instances > 0 && r.Tally.Withdrawn == r.Instances:
		b.WriteString("every instance is withdrawn: nobody is left in the registry\n")
	case r.Tally.DrainsSuspended() && r.Tally.Withdrawn > 0:
		b.WriteString("every instance that is not withdrawn is drained: drains are suspended\n")
	case r.Tally.DrainsSuspended():
		b.WriteString("every instance is drained: drains are suspended\n")
	case r.Tally.WeightsSuspended():
		b.WriteString("every weight is 0: weights are suspended\n")
	default:
		fmt.Fprintf(&b, "leaves %.1f%% of the weight\n", 100*r.Left)
	}
	return b.String()
}
