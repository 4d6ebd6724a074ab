package lb

import "context"

// spill is how much more than its share of the calls a zone takes before they go elsewhere.
const spill = 1.4

// Local returns a picker that has calls stay in zone, the caller's, while there is capacity, and
// picker choose among the members there. The part of the calls that stays is
//
//	min(1, 1.4 × weight in the zone ÷ mean weight of a zone)
//
// of the members that can be picked: drained and failing ones are missing, so that the part falls
// gradually with what is left. The rest goes to the members of all other zones. A call whose
// members have failed goes on to the others. An empty zone prefers none, and so does one without
// members.
func Local(zone string, picker Picker) Picker {
	if zone == "" {
		return picker
	}
	return &localPicker{zone, picker}
}

type localPicker struct {
	zone   string
	picker Picker
}

// Pick implements [Picker].
func (l *localPicker) Pick(ctx context.Context, s *Snapshot, tried []*Member) *Member {
	z := s.zone(l.zone)
	first, second := z.inside, z.outside
	if z.part < 1 && chance(ctx, l.picker, zoneSalt) >= z.part {
		first, second = second, first
	}
	if m := l.picker.Pick(ctx, first, tried); m != nil {
		return m
	}
	return l.picker.Pick(ctx, second, tried)
}

func (l *localPicker) sticky() bool { return isSticky(l.picker) }

// A local is a snapshot divided into a zone and the rest.
type local struct {
	zone            string
	part            float64 // of the calls that stays in the zone
	inside, outside *Snapshot
	next            *local // for another zone
}

// zone returns s divided for a zone. The first pick after a change makes it, which costs as much as
// there are lists.
func (s *Snapshot) zone(zone string) *local {
	head := s.byZone.Load()
	for z := head; z != nil; z = z.next {
		if z.zone == zone {
			return z
		}
	}
	var inside, outside []list
	for _, l := range s.lists {
		if l.cell.zone == zone {
			inside = append(inside, l)
		} else {
			outside = append(outside, l)
		}
	}
	z := &local{zone: zone, inside: s.only(inside, 1), outside: s.only(outside, 2), next: head}
	if s.total > 0 {
		z.part = min(1, spill*float64(z.inside.total)*float64(s.zones)/float64(s.total))
	}
	s.byZone.CompareAndSwap(head, z) // or the next pick makes it again
	return z
}
