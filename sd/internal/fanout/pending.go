package fanout

import (
	"maps"

	"example.com/daytime/sd/policy"
)

// A pending is what a subscriber has not been told yet: one difference to the set as it knows that,
// however many changes went into it, or all of the set. It has no lock.
type pending struct {
	reset bool // the whole set, as it is when it is taken
	up    map[string]struct{}
	down  map[string]bool // true: it withdrew

	effective map[string]policy.Effective // of those in up, and of others for which it changed
	sides     []policy.Side               // nil: as before
}

// add merges a difference in. An instance that came and went since is no news, and for one that
// left repeatedly the last time counts: one that withdrew, came back and was lost is lost.
func (p *pending) add(diff Change) {
	if p.reset {
		return
	}
	withdrew := diff.withdrew()
	for _, name := range diff.Down {
		delete(p.effective, name)
		if remove(p.up, name) {
			continue
		}
		if p.down == nil {
			p.down = map[string]bool{}
		}
		p.down[name] = has(withdrew, name)
	}
	for _, name := range diff.Up {
		if remove(p.down, name) {
			continue
		}
		if p.up == nil {
			p.up = map[string]struct{}{}
		}
		p.up[name] = struct{}{}
	}
}

// addEffective merges in the effective values of a difference that was added; a nil map means that
// there is no Evaluation. An instance that went and came is no news, and may be another now.
func (p *pending) addEffective(diff Change) {
	if p.reset || diff.Effective == nil {
		return
	}
	if diff.Sides != nil {
		p.sides = diff.Sides
	}
	if p.effective == nil {
		p.effective = map[string]policy.Effective{}
	}
	for _, name := range diff.Up {
		if !has(p.up, name) {
			p.effective[name] = bareName
		}
	}
	maps.Copy(p.effective, diff.Effective)
}

// addAll makes the whole set pending.
func (p *pending) addAll() { *p = pending{reset: true} }

// size is how many instances are pending.
func (p *pending) size() int { return len(p.up) + len(p.down) }

// take empties p and returns what was in it. The set is the one that p leads to.
func (p *pending) take(s *set) (c Change) {
	if p.reset {
		c = Change{Reset: true, Up: s.unsorted()}
	} else {
		c = Change{Up: names(p.up), Down: names(p.down), Effective: p.effective, Sides: p.sides}
		for name, withdrew := range p.down {
			if withdrew {
				c.Withdrew = append(c.Withdrew, name)
			}
		}
	}
	*p = pending{}
	return c
}
