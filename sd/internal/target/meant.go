package target

import (
	"slices"
	"strings"
)

// Meant returns the target of one of schemes that text, which has none, may stand for: the one
// whose usual port it has, or else the first of the usual ones. A path alone stands for none: a
// blank may have cut it off its hosts.
func Meant(text string, schemes []string) (Target, bool) {
	for _, scheme := range schemes { // whose :// is misspelt, such as zk:/host or zk//host
		rest, found := strings.CutPrefix(text, scheme)
		if bare := strings.TrimLeft(rest, ":/"); found && len(bare) < len(rest) {
			if lacksHost(scheme, bare) {
				bare = "/" + bare
			}
			if t, err := Parse(scheme + "://" + bare); err == nil {
				return t, true
			}
		}
	}
	usual := []struct {
		scheme string
		port   uint16 // 0: any
	}{{"etcd", 2379}, {"dns", 53}, {"zk", 2181}, {"zk", 0}, {"etcd", 0}, {"dns", 0}, {"fixed", 0}}
	for _, u := range usual {
		t, err := Parse(u.scheme + "://" + text)
		hasPort := func(h Host) bool { return h.Port == u.port }
		if err == nil && slices.Contains(schemes, u.scheme) && len(t.Hosts) > 0 &&
			(u.port == 0 || slices.ContainsFunc(t.Hosts, hasPort)) {
			return t, true
		}
	}
	return Target{}, false
}

// lacksHost reports whether what follows scheme:// begins with a path: that of a file, or a name
// without a resolver before it.
func lacksHost(scheme, rest string) bool {
	return mayLackHost(scheme) && (scheme == "file" || !strings.Contains(rest, "/"))
}
