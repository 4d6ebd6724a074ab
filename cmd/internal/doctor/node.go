package doctor

import (
	"net/netip"

	"example.com/daytime/cmd/internal/doctor/form"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A node is a child of the directory: an instance, or a stranger's.
type node struct {
	name    string
	nameErr error // why it is no instance
	at      netip.AddrPort

	owner, czxid, ctime int64
	readErr             error
	form                form.Form

	gone     bool // when it was read again
	replaced bool // by another session meanwhile
	before   int64

	answer probe.Answer
	found  probe.Finding
}

func newNode(name string, r read) *node {
	n := &node{name: name, nameErr: sd.CheckInstance(name)}
	if n.nameErr == nil {
		n.at = netip.MustParseAddrPort(name)
	}
	n.take(r)
	return n
}

// take notes what was read.
func (n *node) take(r read) {
	n.owner, n.czxid, n.ctime, n.readErr = r.owner, r.czxid, r.ctime, r.err
	n.form = form.Parse(n.name, r.data)
}

// entry is the instance with its attributes, for a policy.
func (n *node) entry() policy.Entry {
	return policy.Entry{Instance: n.name, Attributes: n.form.Attributes}
}
