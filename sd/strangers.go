package sd

import (
	"maps"
	"slices"
	"strings"

	"example.com/daytime/sd/policy"
	"github.com/go-kit/log/level"
)

// admit returns the names that are instances. The others are counted, and logged the first time
// there are any.
func (i *Instancer) admit(names []string) []string {
	bad := slices.IndexFunc(names, func(s string) bool { return refuse(s) != "" })
	if bad < 0 {
		return names
	}
	valid := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return refuse(s) != "" })
	refused := len(names) - len(valid)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rejected == 0 {
		level.Warn(i.logger).Log("msg", "left out what is no instance", "names", refused,
			"err", CheckInstance(names[bad]))
	}
	i.rejected += refused
	for _, name := range names {
		if refuse(name) != "" {
			i.addStranger(name)
		}
	}
	return valid
}

// ofInstances leaves out attributes of names that are no instances.
func ofInstances(
	attributes map[string]policy.Attributes, unread []string,
) (map[string]policy.Attributes, []string) {
	isStranger := func(name string) bool { return refuse(name) != "" }
	strangers := slices.DeleteFunc(slices.Collect(maps.Keys(attributes)), func(name string) bool {
		return !isStranger(name)
	})
	if len(strangers) > 0 {
		attributes = maps.Clone(attributes)
	}
	for _, name := range strangers {
		delete(attributes, name)
	}
	if slices.ContainsFunc(unread, isStranger) {
		unread = slices.DeleteFunc(slices.Clone(unread), isStranger)
	}
	return attributes, unread
}

// addStranger keeps the first names in alphabetical order. The caller holds the lock.
func (i *Instancer) addStranger(name string) {
	at, found := slices.BinarySearch(i.strangers, name)
	if found || at == maxStrangers {
		return
	}
	i.strangers = slices.Insert(i.strangers, at, strings.Clone(name[:min(len(name), maxStranger)]))
	i.strangers = i.strangers[:min(len(i.strangers), maxStrangers)]
}

const (
	maxStrangers = 3   // that are kept
	maxStranger  = 100 // bytes of one
)

// Strangers returns up to three of the names that were left out, the first in alphabetical order of
// all since the start. They are as they stand in the registry, cut after 100 bytes: quote them.
func (i *Instancer) Strangers() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.strangers)
}

// Rejected counts how often a name was left out because it is no instance (see [CheckInstance]); a
// name counts again whenever the set is read again.
func (i *Instancer) Rejected() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rejected
}
