package zk

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

const (
	// maxTakeovers bounds them in a minute. More is two processes fighting over one address.
	maxTakeovers = 3
	// maxRepairs bounds in a minute how often data that somebody changes is written again.
	maxRepairs = 3
)

// A node is the znode of one instance. All its writes are conditional: none changes or removes
// another incarnation of the node than the one that was looked at. One goroutine uses it.
type node struct {
	parent   string // the directory
	path     string
	instance string
	owner    record.Owner
	acl      []gozk.ACL // of what is created
	mode     watchMode
	owned    func(session int64) bool // is, or was, a session of this backend

	attributes policy.Attributes  // what the node is to say
	said       *policy.Attributes // what it says, as far as is known; nil: it is not

	armed     *session.Conn // where the node is watched
	since     time.Time     // when it was registered first; zero after it was withdrawn
	written   incarnation   // whose data is known to be ours
	denied    denial
	takeovers times // from other processes
	repairs   times // of the data
}

// An incarnation is one node at one version.
type incarnation struct {
	czxid   int64
	version int32
}

// A times counts what happened in the last minute.
type times []time.Time

func (t *times) add() { *t = append(*t, time.Now()) }

func (t *times) count() int {
	isOld := func(at time.Time) bool { return time.Since(at) > time.Minute }
	*t = slices.DeleteFunc(*t, isOld)
	return len(*t)
}

// A denial is a refusal of the ACLs: the node of that session may not be removed, as long as nobody
// changes the ACL of the directory.
type denial struct {
	session int64
	version int32 // of the directory's ACL
}

func newNode(s *session.Session, c config, owner record.Owner, instance string) node {
	return node{
		parent:   c.parent,
		path:     c.parent + "/" + instance,
		instance: instance,
		owner:    owner,
		acl:      c.acl,
		mode:     c.watch,
		owned:    s.Owned,
		since:    time.Now(),
	}
}

// stat looks at the node, nil if there is none, and sees to it that its next change makes an event.
func (n *node) stat(c *session.Conn) (*gozk.Stat, error) {
	exists := c.ExistsOnce
	if n.mode.persistent(c) {
		if n.armed != c {
			if err := c.AddWatch(n.path, session.Node); err != nil {
				return nil, n.mode.explain(err)
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
	case stat == nil:
		return fmt.Errorf("%w: node removed", errLost)
	case stat.EphemeralOwner != c.Session:
		return fmt.Errorf("%w: node belongs to session 0x%x, ours is 0x%x",
			errLost, stat.EphemeralOwner, c.Session)
	case n.said == nil:
		err = n.verifyData(c, wanted)
	case !n.said.Equal(n.attributes):
		err = n.rewrite(c, stat, wanted)
	case stat.Version != 0 && n.written != incarnation{stat.Czxid, stat.Version}:
		err = n.verifyData(c, wanted)
	}
	if errors.Is(err, gozk.ErrNoAuth) { // nor could a successor
		n.wrote(n.attributes, incarnation{stat.Czxid, stat.Version})
		err = nil
	}
	return err
}

// verifyData reads the data, and writes it again if it is not ours, nor a claim on it.
func (n *node) verifyData(c *session.Conn, wanted func() bool) error {
	data, stat, err := c.Get(n.path)
	switch {
	case err != nil:
		return changed(err)
	case stat.EphemeralOwner != c.Session:
		return errChanged
	}
	if n.said == nil { // an earlier Announce of this process made it
		n.adopt(data)
	}
	switch {
	case n.owner.IsClaimOf(data, n.document(), c.Session):
		n.wrote(n.attributes, incarnation{stat.Czxid, stat.Version})
		return nil
	case n.repairs.count() >= maxRepairs:
		return nil // until the next audit
	}
	n.repairs.add()
	return n.rewrite(c, stat, wanted)
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
// Where the ACLs forbid it the data alone is written.
func (n *node) rewrite(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	err := n.ifAllowed(c, stat, func() error { return n.replace(c, stat, nil, wanted) })
	if !errors.Is(err, gozk.ErrNoAuth) {
		return err
	}
	exists, stat, err := c.Exists(n.path)
	if err != nil || !exists || stat.EphemeralOwner != c.Session {
		return errors.Join(err, errChanged)
	}
	stat, err = c.Set(n.path, n.document(), stat.Version)
	if err == nil {
		n.wrote(n.attributes, incarnation{stat.Czxid, stat.Version})
	}
	return changed(err)
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
// but is now.
func (n *node) create(c *session.Conn) error {
	n.said = nil
	_, err := c.Create(n.path, n.document(), gozk.FlagEphemeral, n.acl)
	if err == nil {
		n.wrote(n.attributes, incarnation{}) // version 0
	}
	if !errors.Is(err, gozk.ErrNoNode) {
		return changed(err)
	}
	if err := createPath(c, n.parent, n.acl); err != nil {
		return err
	}
	return errChanged
}

// createPath makes a node with all above it, level by level, as ordinary nodes: ZooKeeper would
// remove a container when it is empty, and with it the answer that there are no servers. ZooKeeper
// looks at permissions first: a level that may not be created may be there, and the next one tells.
func createPath(c *session.Conn, path string, acl []gozk.ACL) (denied error) {
	for end := 1; end < len(path); end++ {
		if next := strings.IndexByte(path[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(path)
		}
		_, err := c.Create(path[:end], nil, 0, acl)
		switch {
		case err == nil, errors.Is(err, gozk.ErrNodeExists):
			denied = nil
		case errors.Is(err, gozk.ErrNoAuth):
			denied = fmt.Errorf("create %s: %w", path[:end], err)
		case errors.Is(err, gozk.ErrNoNode) && denied != nil:
			return denied
		default:
			return err
		}
	}
	return denied
}

// takeOver puts a node of this session in the place of a stale one, which an earlier session or
// process of ours has left. Any other is a conflict, and so is one that the ACLs do not let us
// remove: that ends with its session.
func (n *node) takeOver(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	ours := n.owned(stat.EphemeralOwner)
	err := n.ifAllowed(c, stat, func() error {
		var data []byte
		if !ours {
			var err error
			if data, err = n.readStale(c, stat); err != nil {
				return err
			}
		}
		return n.replace(c, stat, data, wanted)
	})
	switch {
	case errors.Is(err, gozk.ErrNoAuth):
		return fmt.Errorf("%w: session 0x%x, whose node the ACLs do not let us replace",
			sd.ErrConflict, stat.EphemeralOwner)
	case err == nil && !ours:
		n.takeovers.add()
	}
	return err
}

// readStale returns the data of the node, and an error if it is not stale: only data that this host
// has written for the same address is. Every other node belongs to somebody, also one without data.
func (n *node) readStale(c *session.Conn, stat *gozk.Stat) ([]byte, error) {
	data, now, err := c.Get(n.path)
	switch {
	case err != nil:
		return nil, changed(err)
	case now.Czxid != stat.Czxid:
		return nil, errChanged
	case now.EphemeralOwner == 0:
		return nil, fmt.Errorf("%w: a permanent node, which only a person can delete, data %.100q",
			sd.ErrConflict, data)
	}
	other, _ := record.Parse(data) // its attributes do not matter
	switch {
	case !other.IsPredecessor(n.owner, n.instance, now.EphemeralOwner):
		return nil, fmt.Errorf("%w: session 0x%x, data %.100q",
			sd.ErrConflict, now.EphemeralOwner, data)
	case n.takeovers.count() >= maxTakeovers:
		return nil, fmt.Errorf("%w: process %d on this host; "+
			"nodes were taken from it, or its like, %d times within a minute",
			sd.ErrConflict, other.Owner.Process, len(n.takeovers))
	}
	return data, nil
}

// remembers reports whether the next Announce needs the past of the node.
func (n *node) remembers() bool { return n.denied != denial{} || n.takeovers.count() > 0 }

// claim pins the incarnation of the node that stat describes, and tells watchers that it may be
// replaced or removed next (see changes). Every node begins with version 0, so a delete of version
// 0 could hit a successor as well. A claim is a Set: its reply tells whose node that was, and it
// leaves a version that a successor does not begin with. After it, a delete could hit only a node
// that came, and was written to just as often, in the time of a round trip. What is written says
// for whose node it was meant, in case it hits another.
func (n *node) claim(c *session.Conn, stat *gozk.Stat, data []byte) (*gozk.Stat, error) {
	data = n.owner.Claim(data, n.document(), stat.EphemeralOwner)
	claimed, err := c.Set(n.path, data, stat.Version)
	if err != nil {
		return nil, changed(err)
	}
	if claimed.EphemeralOwner != stat.EphemeralOwner {
		return nil, errChanged
	}
	return claimed, nil
}

// replace puts a node of this session in the place of the one that stat describes, if that is
// wanted once it is claimed. Delete and Create are one transaction, so that nobody lists a gap.
func (n *node) replace(c *session.Conn, stat *gozk.Stat, data []byte, wanted func() bool) error {
	claimed, err := n.claim(c, stat, data)
	if err != nil {
		return err
	}
	if !wanted() {
		return errRevoked
	}
	n.said = nil
	results, err := c.Multi(
		&gozk.DeleteRequest{Path: n.path, Version: claimed.Version},
		&gozk.CreateRequest{
			Path:  n.path,
			Data:  n.document(),
			Acl:   n.acl,
			Flags: gozk.FlagEphemeral,
		},
	)
	for _, r := range results {
		if err == nil {
			err = r.Error
		}
	}
	if err == nil {
		n.wrote(n.attributes, incarnation{}) // version 0
	}
	return changed(err)
}

// erase removes the node that stat describes, if that is wanted once it is claimed.
func (n *node) erase(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	return n.ifAllowed(c, stat, func() error {
		claimed, err := n.claim(c, stat, nil)
		if err != nil {
			return err
		}
		if !wanted() {
			return errRevoked
		}
		return changed(c.Delete(n.path, claimed.Version))
	})
}

// ifAllowed calls do, which removes the node. After a denial it is not tried again before somebody
// changes the directory's. Its version is read before the attempt, so that an attempt is made again
// if the answer is about an older ACL.
func (n *node) ifAllowed(c *session.Conn, stat *gozk.Stat, do func() error) error {
	_, parent, err := c.Exists(n.parent)
	if err != nil {
		return err
	}
	now := denial{stat.EphemeralOwner, parent.Aversion}
	if stat.EphemeralOwner != 0 && n.denied == now {
		return gozk.ErrNoAuth
	}
	if err = do(); errors.Is(err, gozk.ErrNoAuth) {
		n.denied = now
	}
	return err
}
