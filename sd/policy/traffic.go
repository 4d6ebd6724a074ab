package policy

// EffectiveAll evaluates a fleet.
func (p *Policy) EffectiveAll(fleet []Entry) []Effective {
	all := make([]Effective, len(fleet))
	for i, e := range fleet {
		all[i] = p.Effective(e)
	}
	return all
}

// Traffic returns the part of the calls, of 1, that each instance of a fleet gets if all of them
// answer, and how many of what there are.
//
// Drained instances get nothing while one that is not drained is there, and among these a weight
// of 0 gets nothing while there is one above it. A side is empty if nobody in it gets anything.
func (p *Policy) Traffic(fleet []Effective) ([]float64, Tally) {
	var tally Tally
	for _, e := range fleet {
		tally.Add(e)
	}
	level := make([]int, len(fleet)) // the weight within the side
	sum := 0
	for i, e := range fleet {
		if !e.Drained || tally.DrainsSuspended() {
			level[i] = e.Weight
			sum += e.Weight
		}
	}
	sides := p.Sides()
	total := make([]int, len(sides))
	for i, e := range fleet {
		if sum == 0 && (!e.Drained || tally.DrainsSuspended()) {
			level[i] = 1
		}
		total[e.Side] += level[i]
	}
	parts := Split(sides, func(side int) bool { return total[side] == 0 })
	calls := make([]float64, len(fleet))
	for i, e := range fleet {
		if level[i] > 0 {
			calls[i] = parts[e.Side] * float64(level[i]) / float64(total[e.Side])
		}
	}
	return calls, tally
}
