package zk

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// An identity is the data of a node: who registered it. Nobody needs it to find a server; it tells
// a restarted server that the node in its way is its own predecessor's.
type identity struct {
	Host    string    `json:"host"`    // boot id: another boot or machine is another host
	Address string    `json:"address"` // as advertised
	Process int       `json:"process"`
	Start   time.Time `json:"start"` // for people; nothing is decided by it
	// Claims is the session whose node this was written to, to take it over. A node of another
	// session came into its place, and is a stranger's.
	Claims int64 `json:"claims,omitempty"`
}

// newIdentity describes this process.
func newIdentity() identity {
	start := time.Now().UTC().Truncate(time.Second)
	return identity{Host: hostID(), Process: os.Getpid(), Start: start}
}

// hostID tells this boot of this machine from every other. Without one a predecessor cannot be told
// from a stranger, and is waited for.
func hostID() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot))
}

// at is the data of a node for address.
func (id identity) at(address string) []byte { return id.claiming(address, 0) }

// claiming is the data of a node of session that is to be taken over.
func (id identity) claiming(address string, session int64) []byte {
	id.Address, id.Claims = address, session
	data, err := json.Marshal(id)
	if err != nil {
		panic(err) // strings, a number and a time always can be encoded
	}
	return data
}

// isPredecessor reports whether data of a node of session was written by this host for address, and
// for that node. The host gave the address to this process, so whoever wrote it there is gone.
func (id identity) isPredecessor(data []byte, address string, session int64) bool {
	other := readIdentity(data)
	return other.Host != "" && other.Host == id.Host && other.Address == address &&
		(other.Claims == 0 || other.Claims == session)
}

// readIdentity returns what data says, or nothing if that is no identity.
func readIdentity(data []byte) identity {
	var id identity
	if json.Unmarshal(data, &id) != nil {
		return identity{}
	}
	return id
}

// isEphemeral reports whether the node ends with a session.
func isEphemeral(stat *gozk.Stat) bool { return stat.EphemeralOwner != 0 }
