// Package snapshot keeps the last set of a directory in a file, for a start without the registry:
// it reads, writes and checks that file, and when to write it (saver.go).
package snapshot

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd/internal/target"
	"example.com/daytime/sd/policy"
)

const version = 1

// A Document is what a snapshot file holds. A program that does not know a field leaves it out, so
// there may be more of them later.
type Document struct {
	Version   int       `json:"version"`
	Written   time.Time `json:"written"` // when the registry last confirmed the instances
	Registry  *Origin   `json:"registry,omitempty"`
	Instances []string  `json:"instances"`

	// With FollowPolicy.
	Attributes map[string]attributes `json:"attributes,omitempty"`
	Policy     *Policy               `json:"policy,omitempty"`
}

// attributes are what an instance says of itself.
type attributes struct {
	Weight *int              `json:"weight,omitempty"`
	Zone   string            `json:"zone,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
	Since  *time.Time        `json:"since,omitempty"`
}

// A Policy is the last one that could be read.
type Policy struct {
	Document string `json:"document"`
	Version  int64  `json:"version"`
}

// New returns the document of a set that the registry confirmed then. Of may be nil.
func New(confirmed time.Time, of *Origin, entries []policy.Entry) Document {
	doc := Document{Version: version, Written: confirmed.UTC(), Registry: of}
	doc.Attributes = map[string]attributes{}
	for _, e := range entries {
		doc.Instances = append(doc.Instances, e.Instance)
		if a := e.Attributes; !a.Equal(policy.Attributes{}) {
			d := attributes{Weight: a.Weight, Zone: a.Zone, Tags: a.Tags}
			if since := a.Since.UTC(); !since.IsZero() {
				d.Since = &since
			}
			doc.Attributes[e.Instance] = d
		}
	}
	return doc
}

// AttributesOf returns what the instances say of themselves.
func (d Document) AttributesOf() map[string]policy.Attributes {
	all := map[string]policy.Attributes{}
	for name, a := range d.Attributes {
		says := policy.Attributes{Weight: a.Weight, Zone: a.Zone, Tags: a.Tags}
		if a.Since != nil {
			says.Since = *a.Since
		}
		all[name] = says
	}
	return all
}

// An Origin is the registry that a file was written for: its target without keys.
type Origin struct {
	Scheme string   `json:"scheme"`
	Path   string   `json:"path"`
	Hosts  []string `json:"hosts"` // as in a target
}

// String is a target without keys.
func (r *Origin) String() string {
	return r.Scheme + "://" + strings.Join(r.Hosts, ",") + r.Path
}

// is reports whether r and other are the same directory of one ensemble: hosts are added and
// removed one by one, so one in common is enough.
func (r *Origin) is(other *Origin) bool {
	if r.Scheme != other.Scheme || r.Path != other.Path {
		return false
	}
	shared := func(h string) bool {
		return slices.ContainsFunc(other.Hosts, func(o string) bool { return sameHost(h, o) })
	}
	return len(r.Hosts)+len(other.Hosts) == 0 || slices.ContainsFunc(r.Hosts, shared)
}

// sameHost compares hosts of targets. A port that is left out may be any.
func sameHost(a, b string) bool {
	one, err1 := target.ParseHost(a)
	two, err2 := target.ParseHost(b)
	return err1 == nil && err2 == nil && canonicalName(one.Name) == canonicalName(two.Name) &&
		(one.Port == two.Port || one.Port == 0 || two.Port == 0)
}

func canonicalName(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
