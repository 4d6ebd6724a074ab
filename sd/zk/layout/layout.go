// Package layout reads the nodes that other systems write into ZooKeeper: one child of a directory,
// its name and its data, becomes an instance with attributes. Its functions are pure; they only
// read.
//
//	layout      directory                             names                  data
//	curator     /BASE/NAME                            an id, often a UUID    JSON of x-discovery
//	serverset   that of the ServerSet                 member_ and a number   JSON of a member
//	dubbo       /dubbo/INTERFACE/providers            the provider's URL     none is read
//
// What it makes of a child is one of three: an instance; nobody, because the child says of itself
// that it is not to be called, or is there for something else; or an error, which names what is
// wrong. Host names are errors: an instance is an address. What comes from a registry is untrusted:
// attributes that are not allowed (see policy.CheckTag and its like) are left out.
package layout

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// ErrNobody is of a child that is no server that may be called, and that is right so.
var ErrNobody = errors.New("no server that may be called")

// A Layout is how a system writes its servers. There are [Curator], [ServerSet] and [Dubbo].
type Layout struct {
	name     string
	needData bool
	read     func(name string, data []byte) (policy.Entry, error)
}

// Parse returns the layout of that name: curator, serverset or dubbo.
func Parse(name string) (Layout, error) {
	all := []Layout{Curator(), ServerSet(), Dubbo()}
	n := slices.IndexFunc(all, func(l Layout) bool { return l.name == name })
	if n < 0 {
		return Layout{}, fmt.Errorf("layout %.64q: want curator, serverset or dubbo", name)
	}
	return all[n], nil
}

// String is the layout's name.
func (l Layout) String() string { return l.name }

// NeedsData reports whether the data of a child is read. Where it is not, names carry all.
func (l Layout) NeedsData() bool { return l.needData }

// Read returns what a child says. The error matches [ErrNobody] if the child is to be passed over;
// any other says why it cannot be read, and names what is wrong.
func (l Layout) Read(name string, data []byte) (policy.Entry, error) {
	e, err := l.read(name, data)
	if err == nil {
		err = sd.CheckInstance(e.Instance)
	}
	if err != nil {
		return policy.Entry{}, fmt.Errorf("%s: %.100q: %w", l.name, name, err)
	}
	e.Attributes, _ = e.Attributes.Valid() // what is left out is not of our making
	return e, nil
}

// instance joins a host and a port as an instance. IPv6 addresses may stand in brackets.
func instance(host string, port int) (string, error) {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return "", fmt.Errorf("host %.100q: want an IP address", host)
	case port <= 0 || port > 65535:
		return "", fmt.Errorf("port %d: want 1 to 65535", port)
	}
	return netip.AddrPortFrom(addr, uint16(port)).String(), nil
}

// weight is n as a weight; what is out of range is the nearest that is in it.
func weight(n int) *int {
	n = min(max(n, 0), policy.MaxWeight)
	return &n
}

// tag notes a tag that says something.
func tag(a *policy.Attributes, key, value string) {
	if value == "" {
		return
	}
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	a.Tags[key] = value
}
