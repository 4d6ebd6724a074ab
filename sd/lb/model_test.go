package lb

import (
	"slices"

	"example.com/daytime/sd/policy"
)

// A modelMember is what the model knows of an instance.
type modelMember struct {
	effective policy.Effective
	listed    bool // or in reserve
	failing   bool
}

// A model tells in the plainest way which part of the calls each instance gets: it knows no lists,
// no classes and no snapshots, and adds everything up again for each question.
type model struct {
	members map[string]*modelMember
	failing map[string]bool // of those that left
	sides   []policy.Side
}

// open are those of the first rank in which there is one, with the weights that they are drawn by.
func (m *model) open() map[string]int {
	listed, reserve := 0, 0
	for _, member := range m.members {
		if member.listed && !member.effective.Drained {
			listed++
		}
		if !member.listed && !member.failing {
			reserve++
		}
	}
	ranks := []func(*modelMember) bool{
		func(i *modelMember) bool {
			return !i.failing && !i.effective.Drained && (i.listed || listed < reserve)
		},
		func(i *modelMember) bool { return !i.failing && !i.listed },
		func(i *modelMember) bool { return !i.failing && i.effective.Drained },
		func(i *modelMember) bool { return i.failing },
	}
	for _, isOpen := range ranks {
		weighted, idle := map[string]int{}, map[string]int{}
		for name, member := range m.members {
			switch {
			case !isOpen(member):
			case member.effective.Weight > 0:
				weighted[name] = member.effective.Weight
			default:
				idle[name] = 1
			}
		}
		if len(weighted) > 0 {
			return weighted
		}
		if len(idle) > 0 {
			return idle
		}
	}
	return nil
}

// parts is the part of the calls that each instance gets of a picker that keeps to a zone, "" if to
// none.
func (m *model) parts(zone string) map[string]float64 {
	parts, open := map[string]float64{}, m.open()
	sides := slices.Clone(m.sides)
	if len(sides) < 2 {
		sides = []policy.Side{{Share: 1}}
	}
	bySide := make([]map[string]int, len(sides))
	for i := range sides {
		bySide[i] = map[string]int{}
	}
	for name, weight := range open {
		side := m.members[name].effective.Side
		if side >= len(sides) {
			side = 0
		}
		bySide[side][name] = weight
	}
	of := policy.Split(sides, func(i int) bool { return len(bySide[i]) == 0 })
	for i, members := range bySide {
		for name, part := range m.within(members, zone) {
			parts[name] = of[i] * part
		}
	}
	return parts
}

// within divides the calls of a side.
func (m *model) within(members map[string]int, zone string) map[string]float64 {
	zones := map[string]bool{}
	for _, member := range m.members {
		zones[member.effective.Zone] = true
	}
	inside, total := 0, 0
	for name, weight := range members {
		total += weight
		if m.members[name].effective.Zone == zone {
			inside += weight
		}
	}
	local := min(1, spill*float64(inside)*float64(len(zones))/float64(total))
	if inside == total {
		local = 1
	}
	parts := map[string]float64{}
	for name, weight := range members {
		switch isInside := m.members[name].effective.Zone == zone; {
		case zone == "":
			parts[name] = float64(weight) / float64(total)
		case isInside:
			parts[name] = local * float64(weight) / float64(inside)
		default:
			parts[name] = (1 - local) * float64(weight) / float64(total-inside)
		}
	}
	return parts
}
