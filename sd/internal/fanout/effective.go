package fanout

import (
	"slices"

	"example.com/daytime/sd/policy"
)

// evaluated takes in the effective values after diff, and returns those that changed, with those of
// who was lost, and the sides if they did. The caller holds the lock.
func (f *Fanout) evaluated(diff Change, x Evaluation) (map[string]policy.Effective, []policy.Side) {
	if f.effective == nil {
		f.effective, f.drained = map[string]policy.Effective{}, map[string]struct{}{}
	}
	for _, name := range diff.Down {
		f.note(name, BareName)
	}
	changed := map[string]policy.Effective{}
	for _, name := range x.names {
		v, ok := x.values[name]
		if !ok {
			v = BareName
		}
		if f.set.mayHave(name) && f.note(name, v) {
			changed[name] = v
		}
	}
	for name, v := range x.lost {
		if !f.set.mayHave(name) {
			changed[name] = v
		}
	}
	if slices.Equal(f.sides, x.sides) {
		return changed, nil
	}
	f.sides = x.sides
	return changed, append([]policy.Side{}, x.sides...)
}

// note makes v the effective value of name, and reports whether that is new. The caller holds the
// lock.
func (f *Fanout) note(name string, v policy.Effective) bool {
	old, special := f.effective[name]
	if !special {
		old = BareName
	}
	if v == old {
		return false
	}
	if special {
		f.tally.Remove(old)
		delete(f.effective, name)
		delete(f.drained, name)
	}
	if v != BareName {
		f.tally.Add(v)
		f.effective[name] = v
	}
	if v.Drained {
		f.drained[name] = struct{}{}
	}
	return true
}

// Tally counts the set.
func (f *Fanout) Tally() policy.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tally
	bare := f.set.size() - t.Instances
	t.Instances, t.Weighted = t.Instances+bare, t.Weighted+bare
	return t
}

// undrained returns the list without those that are drained, unless all are.
func (f *Fanout) undrained() []string {
	all, drained := f.list()
	if len(drained) == 0 {
		return all
	}
	isDrained := func(name string) bool { return has(drained, name) }
	if rest := slices.DeleteFunc(slices.Clone(all), isDrained); len(rest) > 0 {
		return rest
	}
	return all
}
