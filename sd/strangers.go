package sd

import (
	"slices"

	"example.com/daytime/sd/internal/instance"
	"github.com/go-kit/log/level"
)

// admit returns the names that are instances. The others are counted, and logged the first time
// there are any.
func (i *Instancer) admit(names []string) []string {
	valid, strangers := instance.Split(names)
	if strangers == nil {
		return valid
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.strangers.Count == 0 {
		level.Warn(i.logger).Log("msg", "left out what is no instance", "names", len(strangers),
			"err", CheckInstance(strangers[0]))
	}
	i.strangers.Add(strangers)
	return valid
}

// Strangers returns up to three of the names that were left out, the first in alphabetical order of
// all since the start. They are as they stand in the registry, cut after 100 bytes: quote them.
func (i *Instancer) Strangers() []string { return slices.Clone(i.leftOut().Names) }

// Rejected counts how often a name was left out because it is no instance (see [CheckInstance]); a
// name counts again whenever the set is read again.
func (i *Instancer) Rejected() int { return i.leftOut().Count }

// leftOut is what was left out, in a union by all parts together.
func (i *Instancer) leftOut() instance.Strangers {
	if i.joint != nil {
		return i.joint.leftOut()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.strangers
}
