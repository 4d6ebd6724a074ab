// Package form reads the data of a server's node as other programs read it, and not as it is
// written: whether Curator, ServerSet and Nerve find the server by it, which attributes are
// believed, and which process it belongs to. Data is untrusted; Parse takes any.
package form

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// maxSize bounds what is read as a document; a reader of attributes refuses more.
const maxSize = 64 << 10

// A Form is what the data of a node says, to our own programs and to others: it is read here as
// those read it, and not as it is written.
type Form struct {
	Empty     bool
	Wrong     string   // why it is no document at all
	Missing   []string // keys that other programs want, in order
	Elsewhere string   // another address than the node's name, in one of the keys
	Unknown   error    // attributes that are not believed

	Attributes policy.Attributes
	Boot       string
	Process    int
	Start      time.Time
}

// document has the keys of Curator, ServerSet and Nerve, and our own.
type document struct {
	Host     *string          `json:"host"`
	Port     *json.RawMessage `json:"port"`
	ID       *string          `json:"id"`
	Address  *string          `json:"address"`
	Endpoint *struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	} `json:"serviceEndpoint"`

	Weight *json.RawMessage `json:"weight"`
	Zone   *json.RawMessage `json:"zone"`
	Tags   *json.RawMessage `json:"tags"`
	Since  int64            `json:"registrationTimeUTC"`

	Boot    string    `json:"boot"`
	Process int       `json:"process"`
	Start   time.Time `json:"start"`
}

// Parse reads the data of a node of that name.
func Parse(name string, data []byte) (f Form) {
	switch {
	case len(data) == 0:
		f.Empty = true
		return f
	case len(data) > maxSize:
		f.Wrong = fmt.Sprintf("%d bytes, more than is read", len(data))
		return f
	case data[0] != '{' || !json.Valid(data):
		f.Wrong = fmt.Sprintf("%.40q is no JSON object", data)
		return f
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		f.Wrong = "a key has a value of another kind: " + err.Error()
		return f
	}
	f.Boot, f.Process, f.Start = d.Boot, d.Process, d.Start
	f.Attributes, f.Unknown = d.attributes()
	for _, key := range []struct {
		name    string
		lacking bool
	}{{"address", d.Address == nil}, {"host", d.Host == nil}, {"id", d.ID == nil},
		{"port", d.Port == nil}, {"serviceEndpoint", d.Endpoint == nil}} {
		if key.lacking {
			f.Missing = append(f.Missing, key.name)
		}
	}
	f.Elsewhere = d.elsewhere(name)
	return f
}

// elsewhere is an address in the document that is another than the node's name.
func (d document) elsewhere(name string) string {
	host, port := "", ""
	if d.Port != nil {
		port = string(*d.Port)
	}
	join := func(host, port string) string {
		p, err := strconv.ParseUint(port, 10, 16)
		addr, bad := netip.ParseAddr(host)
		if err != nil || bad != nil {
			return host + ":" + port
		}
		return netip.AddrPortFrom(addr, uint16(p)).String()
	}
	for _, h := range []*string{d.Host, d.Address} {
		if h != nil {
			host = *h
			if said := join(host, port); port != "" && said != name {
				return said
			}
		}
	}
	if e := d.Endpoint; e != nil {
		if said := join(e.Host, strconv.Itoa(e.Port)); said != name {
			return said
		}
	}
	if d.ID != nil && *d.ID != name && sd.CheckInstance(*d.ID) == nil {
		return *d.ID
	}
	return ""
}

// attributes are those that are believed, and why others are not.
func (d document) attributes() (policy.Attributes, error) {
	var a policy.Attributes
	var wrong []error
	refuse := func(key string, raw *json.RawMessage) {
		wrong = append(wrong, fmt.Errorf("%s %.40q: want another kind of value", key, *raw))
	}
	if weight, ok := read[int](d.Weight); ok {
		a.Weight = weight
	} else {
		refuse("weight", d.Weight)
	}
	if zone, ok := read[string](d.Zone); !ok {
		refuse("zone", d.Zone)
	} else if zone != nil {
		a.Zone = *zone
	}
	if tags, ok := read[map[string]string](d.Tags); !ok {
		refuse("tags", d.Tags)
	} else if tags != nil {
		a.Tags = *tags
	}
	if d.Since > 0 {
		a.Since = time.UnixMilli(d.Since)
	}
	a, err := a.Valid()
	return a, errors.Join(append(wrong, err)...)
}

// read reads a value, nil if there is none; not ok is a value of another kind.
func read[T any](raw *json.RawMessage) (value *T, ok bool) {
	if raw == nil {
		return nil, true
	}
	if err := json.Unmarshal(*raw, &value); err != nil {
		return nil, false
	}
	return value, true
}
