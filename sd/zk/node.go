package zk

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxRepairs bounds in a minute how often data that somebody changes is written again.
const maxRepairs = 3

// A node is the znode of one instance. All its writes are conditional: none changes or removes
// another incarnation of the node than the one that was looked at. One goroutine uses it.
type node struct {
	parent   string // the directory
	path     string
	instance string
	owner    record.Owner
	acl      []gozk.ACL // of what is created
	mode     watch.Mode
	owned    func(session int64) bool // is, or was, a session of this backend

	attributes policy.Attributes  // what the node is to say
	said       *policy.Attributes // what it says, as far as is known; nil: it is not

	session   int64         // in which it was registered last
	armed     *session.Conn // where the node is watched
	since     time.Time     // when it was registered first; zero after it was withdrawn
	written   incarnation   // whose data is known to be ours
	denied    denial
	failure   error         // why the server did not change it
	failedOn  *session.Conn // which is not asked again
	againAt   time.Time     // before
	takeovers lastMinute    // from other processes
	repairs   lastMinute    // of the data
	races     lastMinute    // with others who changed the node
}

// An incarnation is one node at one version.
type incarnation struct {
	czxid   int64
	version int32
}

// A lastMinute counts what happened in it.
type lastMinute []time.Time

func (t *lastMinute) add() { *t = append(*t, time.Now()) }

func (t *lastMinute) count() int {
	isOld := func(at time.Time) bool { return time.Since(at) > time.Minute }
	*t = slices.DeleteFunc(*t, isOld)
	return len(*t)
}

// A denial is a refusal of the ACLs: the node of that session may not be removed, as long as nobody
// changes the ACL of the directory; or that of a quota.
type denial struct {
	session int64
	version int32 // of the directory's ACL; -1 if it was not that
}

func newNode(s *session.Session, c config, owner record.Owner, instance string) node {
	return node{
		parent:   c.directory.Parent,
		path:     c.directory.Parent + "/" + instance,
		instance: instance,
		owner:    owner,
		acl:      c.acl,
		mode:     c.directory.Mode,
		owned:    s.Owned,
		since:    time.Now(),
	}
}

// stat looks at the node, nil if there is none, and sees to it that its next change makes an event.
func (n *node) stat(c *session.Conn) (*gozk.Stat, error) {
	exists := c.ExistsOnce
	if n.mode.Persistent(c) {
		if n.armed != c {
			if err := c.AddWatch(n.path, session.Node); err != nil {
				return nil, n.mode.Explain(err)
			}
			n.armed = c
		}
		exists = c.Exists
	}
	found, stat, err := exists(n.path)
	if err != nil || !found {
		return nil, err
	}
	return stat, nil
}

// verify returns an error that matches errLost if the node is not, or not any more, the one of this
// session. It writes nothing unless somebody else has changed the data, without which the next
// process could not take the node over.
func (n *node) verify(c *session.Conn, wanted func() bool) error {
	stat, err := n.stat(c)
	switch {
	case err != nil:
		return err
	case stat == nil && n.session != c.Session:
		return fmt.Errorf("%w: its session 0x%x has ended", errLost, uint64(n.session))
	case stat == nil:
		return fmt.Errorf("%w: node removed", errLost)
	case stat.EphemeralOwner != c.Session:
		return fmt.Errorf("%w: node belongs to session 0x%x, ours is 0x%x",
			errLost, uint64(stat.EphemeralOwner), uint64(c.Session))
	case n.said == nil:
		err = n.verifyData(c, wanted)
	case !n.said.Equal(n.attributes):
		err = n.rewrite(c, stat, wanted)
	case stat.Version != 0 && n.written != incarnation{stat.Czxid, stat.Version}:
		err = n.verifyData(c, wanted)
	}
	if errors.Is(err, gozk.ErrNoAuth) { // nor could a successor; an audit tries again
		err = nil
	}
	return err
}

// verifyData reads the data, and writes it again if it is not ours, nor a claim on it. As long as
// it is not known what the node says, a claim is that of a replacement which came to nothing, and
// is done again: to watchers a claim says nothing of attributes.
func (n *node) verifyData(c *session.Conn, wanted func() bool) error {
	data, stat, err := c.Get(n.path)
	switch {
	case err != nil:
		return asChanged(err)
	case stat.EphemeralOwner != c.Session:
		return errChanged
	}
	unsaid := n.said == nil
	if unsaid { // an earlier Announce of this process may have made it
		n.adopt(data)
	}
	other, _ := record.Parse(data)
	ours := n.owner.IsClaimOf(data, n.document(), c.Session)
	switch {
	case ours && (!unsaid || other.Claims == 0):
		n.wrote(n.attributes, incarnation{stat.Czxid, stat.Version})
		return nil
	case ours:
		return n.rewrite(c, stat, wanted)
	case n.repairs.count() >= maxRepairs:
		return nil // until the next audit
	}
	err = n.rewrite(c, stat, wanted)
	if err == nil || errors.Is(err, errChanged) { // and not one that the server failed
		n.repairs.add()
	}
	return err
}

// adopt takes since when the instance is registered from data of this process.
func (n *node) adopt(data []byte) {
	r, _ := record.Parse(data)
	since := r.Attributes.Since
	if r.Owner.Boot == n.owner.Boot && r.Owner.Process == n.owner.Process && !since.IsZero() {
		n.since = since
	}
}

// wrote notes what the node says, at that version.
func (n *node) wrote(attributes policy.Attributes, at incarnation) {
	n.said, n.written = &attributes, at
}

// rewrite writes the data again, as a new node in the place of this one. To watchers that is no
// change, while data that is changed and a session that expires soon after look like a withdrawal.
// Where the ACLs or a quota forbid it the data alone is written.
func (n *node) rewrite(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	err := n.ifAllowed(c, stat, func() error { return n.claimAndReplace(c, stat, nil, wanted) })
	if !isDenial(err) {
		return err
	}
	exists, stat, err := c.Exists(n.path)
	if err != nil || !exists || stat.EphemeralOwner != c.Session {
		return errors.Join(err, errChanged)
	}
	stat, err = c.Set(n.path, n.document(), stat.Version)
	if err == nil {
		n.failedOn = nil
		n.wrote(n.attributes, incarnation{stat.Czxid, stat.Version})
	}
	return asChanged(err)
}

// document is the data that the node is to have.
func (n *node) document() []byte {
	r := record.Record{
		Instance:   n.instance,
		Service:    path.Base(n.parent),
		Attributes: n.attributes,
		Owner:      n.owner,
	}
	r.Attributes.Since = n.since
	return r.Encode()
}

// create makes the node. It returns errChanged when there is one, and when there was no directory
// but is now: no container, with which the answer that there are no servers would go.
func (n *node) create(c *session.Conn) error {
	n.said = nil
	_, err := c.Create(n.path, n.document(), gozk.FlagEphemeral, n.acl)
	if err == nil {
		n.wrote(n.attributes, incarnation{}) // version 0
	}
	if !errors.Is(err, gozk.ErrNoNode) {
		return asChanged(err)
	}
	if err := c.CreatePath(n.parent, n.acl); err != nil {
		return err
	}
	return errChanged
}
