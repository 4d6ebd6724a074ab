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
