// Package layout reads the nodes that other systems write into ZooKeeper: one child of a directory,
// its name and its data, becomes an instance with attributes. Its functions are pure; they only
// read.
//
//	layout      directory                             names                  data
//	curator     /BASE/NAME                            an id, often a UUID    JSON of x-discovery
//	serverset   that of the ServerSet                 member_ and a number   JSON of a member
//	dubbo       /dubbo/INTERFACE/providers            the provider's URL     none is read
//
// A child is read as one of three things: an instance; no instance ([ErrNobody]), because it says
// of itself that it is not to be called (disabled, not enabled, not up, not ALIVE), or is there for
// another purpose; or an error, which names the part that is wrong. So a server that its owner has
// disabled is left out of the set, as its own clients do, and not drained. Host names are errors:
// an instance is an address. Nodes are untrusted: attributes that are not allowed (see
// policy.CheckTag and its like) are left out, and data over [MaxData] is not read.
//
// Rules about servers that stand elsewhere, such as Dubbo's overrides and the vectors of Finagle,
// are not read.
package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// ErrNobody is of a child that is no server to be called, by its own word.
var ErrNobody = errors.New("no server that may be called")

// MaxData bounds the data of a child, in bytes.
const MaxData = 64 << 10

// maxError bounds the text of an error, in bytes. Those of [ErrNobody] are shorter.
const maxError = 800

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

// Read returns the instance of a child, and its attributes. The error matches [ErrNobody] if the
// child is to be passed over; any other names the part that cannot be read. It does not repeat
// name.
func (l Layout) Read(name string, data []byte) (e policy.Entry, err error) {
	if len(data) > MaxData {
		err = fmt.Errorf("data of %d bytes: want %d at most", len(data), MaxData)
	} else {
		e, err = l.read(name, data)
	}
	if err == nil {
		err = sd.CheckInstance(e.Instance)
	}
	if err != nil {
		return policy.Entry{}, fmt.Errorf("%s: %w", l.name, short(err))
	}
	e.Attributes, _ = e.Attributes.Valid() // the error is about another program's attributes
	return e, nil
}

// short is err, or the beginning of one that repeats more of a child than can be shown.
func short(err error) error {
	if text := err.Error(); len(text) > maxError {
		return errors.New(text[:maxError])
	}
	return err
}

// An optional is a value of JSON that counts if it is of its type: what else a child says must not
// hide it.
type optional[T any] struct{ value T }

func (o *optional[T]) UnmarshalJSON(data []byte) error {
	var read T
	if json.Unmarshal(data, &read) == nil {
		o.value = read
	}
	return nil
}

// texts is an object of strings.
type texts = optional[map[string]optional[string]]

// instance joins a host and a port. IPv6 addresses may stand in brackets.
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

// weight is n as a weight, or the nearest one that is allowed.
func weight(n int) *int {
	n = min(max(n, 0), policy.MaxWeight)
	return &n
}

// since is the time at which a node says that it was registered. A number below 10¹¹ is in seconds:
// those of milliseconds have been above that since 1973.
func since(n int64) time.Time {
	const maxSeconds = 100_000_000_000
	switch {
	case n <= 0:
		return time.Time{}
	case n < maxSeconds:
		return time.Unix(n, 0).UTC()
	default:
		return time.UnixMilli(n).UTC()
	}
}

// tag notes a tag that is not empty.
func tag(a *policy.Attributes, key, value string) {
	if value == "" {
		return
	}
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	a.Tags[key] = value
}
