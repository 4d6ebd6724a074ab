package policy

// EffectiveAll evaluates a fleet.
func (p *Policy) EffectiveAll(fleet []Entry) []Effective {
	all := make([]Effective, len(fleet))
	for i, e := range fleet {
		all[i] = p.Effective(e)
	}
	return all
}

// Levels returns by how much each instance of a fleet gets calls beside the others of its side, and
// how many there are of what. That is its weight, or 0 if it is drained. If all are drained none is,
// and if all weights come to 0 they are alike: so there is always somebody. But those that are
// withdrawn are 0 in any case, and do not count: they leave the registry.
func Levels(fleet []Effective) ([]int, Tally) {
	var tally Tally
	for _, e := range fleet {
		tally.Add(e)
	}
	levels, sum := make([]int, len(fleet)), 0
	isOut := func(e Effective) bool {
		return e.Withdrawn || e.Drained && tally.Drained < tally.Instances
	}
	for i, e := range fleet {
		if !isOut(e) {
			levels[i] = e.Weight
			sum += e.Weight
		}
	}
	for i, e := range fleet {
		if sum == 0 && !isOut(e) {
			levels[i] = DefaultWeight
		}
	}
	return levels, tally
}

// Traffic returns the part of the calls, of 1, that each instance of a fleet gets if all of them
// answer, and how many of what there are. A side is empty if nobody in it gets anything. A fleet
// that is withdrawn as a whole gets nothing.
func (p *Policy) Traffic(fleet []Effective) ([]float64, Tally) {
	levels, tally := Levels(fleet)
	sides := p.Sides()
	total := make([]int, len(sides))
	for i, e := range fleet {
		total[e.Side] += levels[i]
	}
	parts := Split(sides, func(side int) bool { return total[side] == 0 })
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
func (p *Policy) SharesSuspended(fleet []Effective) bool {
	calls, _ := p.Traffic(fleet)
	for i, e := range fleet {
		if calls[i] > 0 && !e.Drained && p.Spares(e) {
			return true
		}
	}
	return false
}
