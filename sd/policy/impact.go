package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Traffic returns the part of the calls, of 1, that each instance of a fleet gets if all of them
// answer, and how many of what there are.
//
// Drained instances get nothing while one that is not drained is there, and among these a weight
// of 0 gets nothing while there is one above it. A side is empty if nobody in it gets anything.
func (p *Policy) Traffic(fleet []Entry) ([]float64, Tally) {
	effective, tally := p.survey(fleet)
	return p.traffic(effective, tally), tally
}

// survey evaluates a fleet.
func (p *Policy) survey(fleet []Entry) (effective []Effective, tally Tally) {
	effective = make([]Effective, len(fleet))
	for i, e := range fleet {
		effective[i] = p.Effective(e)
		tally.Add(effective[i])
	}
	return effective, tally
}

func (p *Policy) traffic(effective []Effective, tally Tally) []float64 {
	level := make([]int, len(effective)) // the weight within the side
	sum := 0
	for i, e := range effective {
		if !e.Drained || tally.DrainsSuspended() {
			level[i] = e.Weight
			sum += e.Weight
		}
	}
	sides := p.Sides()
	total := make([]int, len(sides))
	for i, e := range effective {
		if sum == 0 && (!e.Drained || tally.DrainsSuspended()) {
			level[i] = 1
		}
		total[e.Side] += level[i]
	}
	parts := Split(sides, func(side int) bool { return total[side] == 0 })
	calls := make([]float64, len(effective))
	for i, e := range effective {
		if level[i] > 0 {
			calls[i] = parts[e.Side] * float64(level[i]) / float64(total[e.Side])
		}
	}
	return calls
}

// An Impact is what a change of the policy does to a fleet.
type Impact struct {
	Instances int
	Affected  []Affected // in the order of the fleet
	Before    float64    // the part of the calls, of 1, that the affected get before
	After     float64    // and after
	Left      float64    // the part of the fleet's weight that gets calls after; see Refused
	Refused   bool       // fewer than half of the weight is left, and fewer than before
	Tally     Tally      // after
}

// Affected is an instance that the change treats differently.
type Affected struct {
	Instance string
	Changes  string // in words, such as "undrained -> drained, weight 100 -> 50"
}

// Compare returns what it means for a fleet that after follows before.
//
// The weight of the fleet is that of all its instances, drained or not, each with the greater
// of its weights before and after. What is left of it is the weight of those that are not
// drained and get calls: a weight of 0 and a share of 0 % take a server away as a drain does.
func Compare(before, after *Policy, fleet []Entry) Impact {
	was, tallyWas := before.survey(fleet)
	is, tally := after.survey(fleet)
	callsWere, calls := before.traffic(was, tallyWas), after.traffic(is, tally)
	sameSides := slices.Equal(before.Sides(), after.Sides())
	impact := Impact{Instances: len(fleet), Left: 1, Tally: tally}
	var all, leftBefore, left capacity
	for i, e := range fleet {
		all.add(max(was[i].Weight, is[i].Weight))
		if !was[i].Drained && callsWere[i] > 0 {
			leftBefore.add(was[i].Weight)
		}
		if !is[i].Drained && calls[i] > 0 {
			left.add(is[i].Weight)
		}
		if was[i] == is[i] && sameSides {
			continue
		}
		if words := changes(before.inWords(was[i]), after.inWords(is[i])); words != "" {
			impact.Affected = append(impact.Affected, Affected{e.Instance, words})
			impact.Before += callsWere[i]
			impact.After += calls[i]
		}
	}
	if len(fleet) > 0 {
		impact.Left = left.of(all)
		impact.Refused = impact.Left < 0.5 && impact.Left < leftBefore.of(all)
	}
	return impact
}

// A capacity is instances and the sum of their weights.
type capacity struct{ weight, instances int }

func (c *capacity) add(weight int) {
	c.weight += weight
	c.instances++
}

// of returns c as a part of all: by weight, or by number where all weights are 0.
func (c capacity) of(all capacity) float64 {
	if all.weight == 0 {
		return float64(c.instances) / float64(all.instances)
	}
	return float64(c.weight) / float64(all.weight)
}

// inWords tells state, weight, zone and share, in words that mean the same under any policy.
func (p *Policy) inWords(e Effective) [4]string {
	state, share := "undrained", "the rest"
	if e.Withdrawn {
		state = "withdrawn"
	} else if e.Drained {
		state = "drained"
	}
	if e.Side > 0 {
		side := p.Sides()[e.Side]
		share = formatShare(side.Share) + " of " + side.Selector.String()
	}
	return [4]string{state, strconv.Itoa(e.Weight), orNone(e.Zone), share}
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

// String tells the impact, ready to print: the sum, a line for each instance that is affected, of
// which it names twenty, and what is left.
func (i Impact) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "affects %d of %d instances, which get %.1f%% of the calls, and %.1f%% after\n",
		len(i.Affected), i.Instances, 100*i.Before, 100*i.After)
	for n, a := range i.Affected {
		if n == maxNamed {
			fmt.Fprintf(&b, "  and %d more\n", len(i.Affected)-n)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", a.Instance, a.Changes)
	}
	switch {
	case i.Tally.DrainsSuspended():
		b.WriteString("every instance is drained: drains are suspended\n")
	case i.Tally.WeightsSuspended():
		b.WriteString("every weight is 0: weights are suspended\n")
	default:
		fmt.Fprintf(&b, "leaves %.1f%% of the weight\n", 100*i.Left)
	}
	return b.String()
}
