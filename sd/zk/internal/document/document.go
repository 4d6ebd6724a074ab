// Package document reads and writes the data of a node: pure functions, without ZooKeeper.
//
// Nobody needs the data of a node to find a server, whose address is the node's name. It tells a
// restarted server that the node in its way is its own predecessor's, and is understood by other
// programs.
package document

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path"
	"strings"
	"time"
)

// A document is the data of a node. Its first keys are those that readers of other layouts look
// for: Curator's x-discovery (https://curator.apache.org/docs/service-discovery), Twitter's
// ServerSets and Airbnb's Nerve, the last two also as Prometheus reads them. The keys of the
// identity are our own.
type document struct {
	Host                string              `json:"host"`
	Port                uint16              `json:"port"`
	Name                string              `json:"name"` // of the service: the directory's
	ID                  string              `json:"id"`   // the instance
	Address             string              `json:"address"`
	ServiceType         string              `json:"serviceType"`
	RegistrationTimeUTC int64               `json:"registrationTimeUTC"` // milliseconds
	ServiceEndpoint     endpoint            `json:"serviceEndpoint"`
	AdditionalEndpoints map[string]endpoint `json:"additionalEndpoints"`
	Status              string              `json:"status"`
	Identity
}

type endpoint struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// An Identity says who wrote a document. It tells a restarted server that the node in its way is
// its own predecessor's.
type Identity struct {
	Boot    string    `json:"boot"` // boot id: another boot or machine is another host
	Process int       `json:"process"`
	Start   time.Time `json:"start"` // for people; nothing is decided by it
	// Claims is the session whose node this was written to, to take it over or to remove it. A node
	// of another session came into its place, and is a stranger's.
	Claims int64 `json:"claims,omitempty"`
}

// NewIdentity describes this process.
func NewIdentity() Identity {
	start := time.Now().UTC().Truncate(time.Second)
	return Identity{Boot: bootID(), Process: os.Getpid(), Start: start}
}

// bootID tells this boot of this machine from every other. Without one a predecessor cannot be told
// from a stranger, and is waited for.
func bootID() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot))
}

// Document is the data of the node of instance in parent, registered since then.
func (id Identity) Document(parent, instance string, since time.Time) []byte {
	address, _ := netip.ParseAddrPort(instance) // package sd has checked it
	at := endpoint{address.Addr().String(), address.Port()}
	return encode(document{
		Host:                at.Host,
		Port:                at.Port,
		Name:                path.Base(parent),
		ID:                  instance,
		Address:             at.Host,
		ServiceType:         "DYNAMIC",
		RegistrationTimeUTC: since.UnixMilli(),
		ServiceEndpoint:     at,
		AdditionalEndpoints: map[string]endpoint{},
		Status:              "ALIVE",
		Identity:            id,
	})
}

// Claim returns data with the keys of the identity replaced, as a claim on a node of session. All
// other keys stay as they are. Data in no form of today is replaced by own.
func (id Identity) Claim(data, own []byte, session int64) []byte {
	id.Claims = session
	keys := map[string]json.RawMessage{}
	if json.Unmarshal(data, &keys) != nil || keys["boot"] == nil {
		clear(keys)
		decode(own, &keys)
	}
	decode(encode(id), &keys)
	return encode(keys)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and times always can be encoded
	}
	return data
}

// decode is the inverse of encode.
func decode(data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic(err)
	}
}

// IsPredecessor reports whether data of a node of session was written by this host for instance,
// and for that node. The host gave the address to this process, so the process that wrote it is
// gone.
func (id Identity) IsPredecessor(data []byte, instance string, session int64) bool {
	of, other := Read(data)
	return other.Boot != "" && other.Boot == id.Boot && of == instance &&
		(other.Claims == 0 || other.Claims == session)
}

// IsClaimOf reports whether data is own, or a claim on it as a node of session, by which this
// process or its successor is about to replace or remove the node.
func (id Identity) IsClaimOf(data, own []byte, session int64) bool {
	_, other := Read(data)
	return other.Boot == id.Boot && (other.Claims == 0 || other.Claims == session) &&
		bytes.Equal(id.Claim(data, own, session), id.Claim(own, own, session))
}

// Read returns who wrote data, and for which instance; nothing, if it does not say. In the first
// form of a document the boot id was host, and the instance address.
func Read(data []byte) (instance string, id Identity) {
	var today struct {
		ID string `json:"id"`
		Identity
	}
	if json.Unmarshal(data, &today) == nil && today.Boot != "" {
		return today.ID, today.Identity
	}
	var first struct {
		Host    string `json:"host"`
		Address string `json:"address"`
		Identity
	}
	if json.Unmarshal(data, &first) != nil || first.Boot != "" {
		return "", Identity{}
	}
	first.Boot = first.Host
	return first.Address, first.Identity
}
