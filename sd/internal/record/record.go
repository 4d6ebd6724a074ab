// Package record is the document that a registry keeps of an instance: the data of its znode, or
// the value of its key. Nobody needs it to find a server.
//
// It is one JSON object for many readers: the keys of a Curator ServiceInstance, of a Finagle
// ServerSet member and of a Nerve entry stand side by side, so that those, and Prometheus, which
// reads the latter two, show the server at its address. Ours are boot, process, start, claims and
// leaving, which tell whose entry it is, and weight, zone and tags, the attributes; since when it
// is registered is Curator's registrationTimeUTC. All functions are pure but Self.
package record

import (
	"encoding/json"
	"net/netip"
	"time"

	"example.com/daytime/sd/policy"
)

// MaxSize bounds what Parse reads: a megabyte of a stranger's is no document.
const MaxSize = 64 << 10

// A Record is what a document says.
type Record struct {
	Instance   string            // a canonical ip:port
	Service    string            // the last element of the directory's path; for other readers
	Attributes policy.Attributes // with Since
	Owner      Owner

	// Claims is the session whose entry this was written to, to take it over or to remove it. In
	// the entry of another session, which came in between, it says nothing.
	Claims int64
	// Leaving: the owner is about to remove the entry. When it goes, that was on purpose.
	Leaving bool
}

// document is a Record as it is written. The order of the keys is for people.
type document struct {
	Host     string `json:"host"` // without brackets
	Port     uint16 `json:"port"`
	Name     string `json:"name"`
	ID       string `json:"id"`
	Address  string `json:"address"`
	Type     string `json:"serviceType"`
	Since    int64  `json:"registrationTimeUTC"` // milliseconds
	Endpoint struct {
		Host string `json:"host"`
		Port uint16 `json:"port"`
	} `json:"serviceEndpoint"`
	Additional struct{} `json:"additionalEndpoints"`
	Status     string   `json:"status"`

	Weight *int              `json:"weight,omitempty"`
	Zone   string            `json:"zone,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`

	Boot    string    `json:"boot,omitempty"`
	Process int       `json:"process"`
	Start   time.Time `json:"start"`
	Claims  int64     `json:"claims,omitempty"`
	Leaving bool      `json:"leaving,omitempty"`
}

// Encode is the document of r, whose Instance must be one.
func (r Record) Encode() []byte {
	address, _ := netip.ParseAddrPort(r.Instance) // an instance always can be parsed
	d := document{
		Host:    address.Addr().String(),
		Port:    address.Port(),
		Name:    r.Service,
		ID:      r.Instance,
		Address: address.Addr().String(),
		Type:    "DYNAMIC",
		Status:  "ALIVE",
		Weight:  r.Attributes.Weight,
		Zone:    r.Attributes.Zone,
		Tags:    r.Attributes.Tags,
		Boot:    r.Owner.Boot,
		Process: r.Owner.Process,
		Start:   r.Owner.Start.UTC().Truncate(time.Second),
		Claims:  r.Claims,
		Leaving: r.Leaving,
	}
	d.Endpoint.Host, d.Endpoint.Port = d.Host, d.Port
	if since := r.Attributes.Since; !since.IsZero() {
		d.Since = since.UnixMilli()
	}
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings, numbers and a time always can be encoded
	}
	return data
}
