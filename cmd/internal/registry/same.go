package registry

import (
	"net/netip"
	"slices"
	"strings"

	"example.com/daytime/sd"
)

// choosing are the keys of targets that say which set is read, rather than how.
var choosing = [...]string{"port"}

// same reports whether two targets are of one directory. One host in common is enough, since an
// ensemble's hosts are added and removed one by one; of lists without a registry all must be.
func same(a, b sd.Target) bool {
	if a.Scheme != b.Scheme || canonicalPath(a) != canonicalPath(b) {
		return false
	}
	for _, key := range choosing {
		if a.Keys[key] != b.Keys[key] {
			return false
		}
	}
	if a.Scheme == "fixed" {
		return holds(a.Hosts, b.Hosts) && holds(b.Hosts, a.Hosts)
	}
	shared := func(h sd.Host) bool { return contains(b.Hosts, h) }
	return len(a.Hosts)+len(b.Hosts) == 0 || slices.ContainsFunc(a.Hosts, shared)
}

// canonicalPath is the path of a directory. The name of a service in DNS has no case and may end in
// a dot.
func canonicalPath(t sd.Target) string {
	path := strings.TrimSuffix(t.Path, "/")
	if t.Scheme == "dns" {
		path = strings.ToLower(strings.TrimSuffix(path, "."))
	}
	return path
}

// holds reports whether every one of some is one of all.
func holds(all, some []sd.Host) bool {
	missing := func(h sd.Host) bool { return !contains(all, h) }
	return !slices.ContainsFunc(some, missing)
}

func contains(all []sd.Host, h sd.Host) bool {
	return slices.ContainsFunc(all, func(other sd.Host) bool { return sameHost(h, other) })
}

// sameHost compares hosts. A port that is left out is the scheme's, whichever that is.
func sameHost(a, b sd.Host) bool {
	return canonicalName(a.Name) == canonicalName(b.Name) &&
		(a.Port == b.Port || a.Port == 0 || b.Port == 0)
}

// canonicalName is a host's name in one spelling. The loopback addresses that localhost may be are
// one.
func canonicalName(name string) string {
	addr, err := netip.ParseAddr(name)
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case err != nil:
		return name
	case addr == netip.IPv6Loopback() || addr.Unmap() == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return "localhost"
	}
	return addr.Unmap().String()
}
