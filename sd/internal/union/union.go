// Package union makes one set of several: those of the registries that a client reads side by side.
// It is plain values, without a lock, a clock or a registry.
//
// A name is in the union while it is in one part at least. What becomes of it when a part tells of
// it, by whether another part has it; "-" is no news:
//
//	name in other parts  the part adds it  the part loses it  the part says it withdrew
//	none                 up                down               down, withdrew
//	some                 -                 -                  -
//
// So the part that it leaves last says how it left. Where it leaves several parts between two
// differences, nobody knows which was the last, and it withdrew if all of them say so. A part that
// has told nothing yet has no name.
//
// The effective value of a name is put together from the parts that have it: weight and zone are
// those of the first, it is drained if any says so, and its side is that of the first part that
// splits the calls, the rest if that part does not have it. That of a name that was lost is put
// together from the parts that lost it of late.
package union

import (
	"slices"
	"time"

	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/policy"
)

// A Union joins the sets of parts, which are numbered from 0.
type Union struct {
	parts   []part
	told    bool          // Flush has told the whole set
	split   int           // the part whose sides were told; len(parts) for none
	sides   []policy.Side // which those were
	touched map[string]touch
}

// A part is what one of them has told. Its maps are nil before it did.
type part struct {
	members   map[string]struct{}
	effective map[string]policy.Effective // of members that are no bare names
	lost      fanout.Memory[policy.Effective]
	evaluates bool          // it tells effective values
	sides     []policy.Side // empty: it splits nothing
}

// A touch is what has happened to a name since the last Flush.
type touch struct {
	had  bool // it was in the union
	lost bool // a part lost it, or is in doubt
	left bool // a part says that it withdrew
}

// withdrew reports whether who is gone withdrew.
func (t touch) withdrew() bool { return t.left && !t.lost }

// New returns the union of so many parts, of which none has told anything.
func New(parts int) *Union {
	return &Union{parts: make([]part, parts), split: parts, touched: map[string]touch{}}
}

// Add takes in what a part tells: its whole set as a Reset, which is the first that it tells, or
// an exact difference, with the effective values if it has any. A difference to nothing is nothing.
func (u *Union) Add(n int, c fanout.Change, now time.Time) {
	p := &u.parts[n]
	switch {
	case c.Reset:
		u.reset(p, c.Up, now)
	case p.members == nil:
		return
	}
	withdrew := setOf(c.Withdrew)
	for _, name := range c.Down {
		_, left := withdrew[name]
		u.leave(p, name, left, now)
	}
	for _, name := range c.Up {
		u.touch(name)
		p.members[name] = struct{}{}
		p.lost.Remove(name)
	}
	for name, v := range c.Effective {
		if p.has(name) {
			u.touch(name)
			p.effective[name] = v
		} else if _, lost := p.lost.Get(name); lost {
			u.touch(name)
			p.lost.Add(name, v, now)
		}
	}
	p.evaluates = p.evaluates || c.Effective != nil
	if c.Sides != nil || c.Reset {
		p.sides = c.Sides
	}
}

// reset prepares p for a whole set: who is not in it was lost.
func (u *Union) reset(p *part, names []string, now time.Time) {
	if p.members == nil {
		p.members = make(map[string]struct{}, len(names))
	}
	listed := setOf(names)
	for name := range p.members {
		if _, ok := listed[name]; !ok {
			u.leave(p, name, false, now)
		}
	}
	p.effective = map[string]policy.Effective{}
}

// leave notes that a part has a name no more.
func (u *Union) leave(p *part, name string, withdrew bool, now time.Time) {
	u.touch(name)
	t := u.touched[name]
	t.lost, t.left = t.lost || !withdrew, t.left || withdrew
	u.touched[name] = t
	if v, ok := p.value(name); ok && !withdrew {
		p.lost.Add(name, v, now)
	}
	delete(p.members, name)
	delete(p.effective, name)
}

// touch notes that something is to be told of a name, before it happens. Before the first Flush
// everything is.
func (u *Union) touch(name string) {
	if _, ok := u.touched[name]; !ok && u.told {
		u.touched[name] = touch{had: u.has(name)}
	}
}

func (u *Union) has(name string) bool {
	for n := range u.parts {
		if u.parts[n].has(name) {
			return true
		}
	}
	return false
}

func (p *part) has(name string) bool {
	_, ok := p.members[name]
	return ok
}

// Known is how many parts have told their set.
func (u *Union) Known() (n int) {
	for i := range u.parts {
		if u.parts[i].members != nil {
			n++
		}
	}
	return n
}

// Flush returns what became of the union since the last Flush, the first time the whole of it, and
// the evaluation of what is concerned, nil if no part evaluates.
func (u *Union) Flush() (c fanout.Change, x *fanout.Evaluation) {
	resplit := u.resplit()
	if !u.told || resplit {
		u.touchAll()
	}
	c.Reset, u.told = !u.told, true
	for name, t := range u.touched {
		has := u.has(name)
		if has {
			u.forget(name)
		}
		switch {
		case has && (c.Reset || !t.had):
			c.Up = append(c.Up, name)
		case !has && t.had:
			c.Down = append(c.Down, name)
			if t.withdrew() {
				c.Withdrew = append(c.Withdrew, name)
			}
		}
	}
	if slices.ContainsFunc(u.parts, func(p part) bool { return p.evaluates }) {
		x = u.evaluation()
	}
	u.touched = map[string]touch{}
	return c, x
}

// forget drops what parts say of a name that they lost, and that another still has: it is for that
// one to say, also when it loses it.
func (u *Union) forget(name string) {
	for n := range u.parts {
		u.parts[n].lost.Remove(name)
	}
}

// evaluation is that of the names that were touched.
func (u *Union) evaluation() *fanout.Evaluation {
	values := make(map[string]policy.Effective, len(u.touched))
	lost := map[string]policy.Effective{}
	for name, t := range u.touched {
		if u.has(name) {
			values[name], _ = u.effective(name, (*part).value)
		} else if v, ok := u.effective(name, (*part).lostValue); ok && !t.withdrew() {
			lost[name] = v
		}
	}
	x := fanout.NewEvaluation(values, u.sides, lost)
	return &x
}

// touchAll has the whole union told, and the values of those that were lost.
func (u *Union) touchAll() {
	for n := range u.parts {
		for name := range u.parts[n].members {
			if _, ok := u.touched[name]; !ok {
				u.touched[name] = touch{had: u.told}
			}
		}
	}
	for n := range u.parts {
		for name := range u.parts[n].lost.All {
			u.touch(name)
		}
	}
}

// resplit looks for the first part that splits the calls, and reports whether the split is another.
func (u *Union) resplit() bool {
	split, sides := len(u.parts), []policy.Side(nil)
	for n := range u.parts {
		if len(u.parts[n].sides) > 0 {
			split, sides = n, u.parts[n].sides
			break
		}
	}
	same := split == u.split && slices.Equal(sides, u.sides)
	u.split, u.sides = split, sides
	return !same
}

// value is the effective value of a name that p has.
func (p *part) value(name string) (v policy.Effective, ok bool) {
	if v, ok = p.effective[name]; !ok {
		v = fanout.BareName
	}
	return v, p.has(name)
}

// lostValue is the effective value of a name that p lost.
func (p *part) lostValue(name string) (policy.Effective, bool) { return p.lost.Get(name) }

// effective puts the value of a name together from what the parts have that have any.
func (u *Union) effective(
	name string, of func(*part, string) (policy.Effective, bool),
) (v policy.Effective, found bool) {
	side := 0
	for n := range u.parts {
		own, ok := of(&u.parts[n], name)
		if !ok {
			continue
		}
		if n == u.split {
			side = own.Side
		}
		if found {
			own = v.Beside(own)
		}
		v, found = own, true
	}
	v.Side = side
	return v, found
}

func setOf(names []string) map[string]struct{} {
	if len(names) == 0 {
		return nil
	}
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}
