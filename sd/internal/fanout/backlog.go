package fanout

import (
	"maps"

	"example.com/daytime/sd/policy"
)

// maxPassers is how many values at least are kept for a subscriber of those that came and were lost
// since it was told something. It may know such a one from before.
const maxPassers = 1024

// A backlog is what a subscriber has not been told yet: one difference to the set as it knows that,
// however many changes went into it, or all of the set. It has no lock.
type backlog struct {
	reset bool // the whole set, as it is when it is taken
	up    map[string]struct{}
	down  map[string]bool // true: it withdrew

	effective map[string]policy.Effective // of those in up, of changed ones, and of lost ones
	most      int                         // of these, that came at once
	sides     []policy.Side               // nil: as before
}

// add merges a difference in. An instance that came and went since is no news, and for one that
// left repeatedly the last time counts: one that withdrew, came back and was lost is lost. Of one
// that is lost the effective value stays, which it had then: it may have been drained before.
func (b *backlog) add(diff Change) {
	if b.reset {
		return
	}
	withdrew := diff.withdrew()
	for _, name := range diff.Down {
		left := has(withdrew, name)
		if left {
			delete(b.effective, name)
		}
		if remove(b.up, name) {
			continue
		}
		if b.down == nil {
			b.down = map[string]bool{}
		}
		b.down[name] = left
	}
	for _, name := range diff.Up {
		delete(b.effective, name) // of a lost one
		if remove(b.down, name) {
			continue
		}
		if b.up == nil {
			b.up = map[string]struct{}{}
		}
		b.up[name] = struct{}{}
	}
}

// addEffective merges in the effective values of a difference that was added; a nil map means that
// there is no Evaluation. An instance that went and came is no news, and may be another now. The set
// is the one that b leads to.
func (b *backlog) addEffective(diff Change, s *set) {
	if b.reset || diff.Effective == nil {
		return
	}
	if diff.Sides != nil {
		b.sides = diff.Sides
	}
	if b.effective == nil {
		b.effective = map[string]policy.Effective{}
	}
	for _, name := range diff.Up {
		if !has(b.up, name) {
			b.effective[name] = BareName
		}
	}
	maps.Copy(b.effective, diff.Effective)
	b.most = max(b.most, len(diff.Effective))
	if len(b.effective) > maxPassers+2*(s.size()+len(b.down)+b.most) {
		maps.DeleteFunc(b.effective, func(name string, _ policy.Effective) bool {
			return !s.mayHave(name) && !has(b.down, name)
		})
	}
}

// addAll makes the whole set the backlog.
func (b *backlog) addAll() { *b = backlog{reset: true} }

// size is how many instances are in it.
func (b *backlog) size() int { return len(b.up) + len(b.down) }

// take empties b and returns what was in it. The set is the one that b leads to.
func (b *backlog) take(s *set) (c Change) {
	if b.reset {
		c = Change{Reset: true, Up: s.unsorted()}
	} else {
		c = Change{Up: names(b.up), Down: names(b.down), Effective: b.effective, Sides: b.sides}
		for name, withdrew := range b.down {
			if withdrew {
				c.Withdrew = append(c.Withdrew, name)
			}
		}
	}
	*b = backlog{}
	return c
}
