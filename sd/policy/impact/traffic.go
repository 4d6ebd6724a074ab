package impact

import "example.com/daytime/sd/policy"

// Traffic returns the part of the calls, of 1, that each instance of a fleet gets if all of them
// answer, and how many of what there are. A side is empty if nobody in it gets anything. A fleet
// that is withdrawn as a whole gets nothing.
func Traffic(p *policy.Policy, fleet []policy.Effective) ([]float64, policy.Tally) {
	levels, tally := policy.Levels(fleet)
	sides := p.Sides()
	total := make([]int, len(sides))
	for i, e := range fleet {
		total[e.Side] += levels[i]
	}
	parts := policy.Split(sides, func(side int) bool { return total[side] == 0 })
	calls := make([]float64, len(fleet))
	for i, e := range fleet {
		if levels[i] > 0 {
			calls[i] = parts[e.Side] * float64(levels[i]) / float64(total[e.Side])
		}
	}
	return calls, tally
}

// SharesSuspended reports whether instances of a fleet get calls though a share of 0 % spares them:
// nobody is left whom none does.
func SharesSuspended(p *policy.Policy, fleet []policy.Effective) bool {
	calls, _ := Traffic(p, fleet)
	for i, e := range fleet {
		if calls[i] > 0 && !e.Drained && p.Spares(e) {
			return true
		}
	}
	return false
}
