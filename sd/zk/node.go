package zk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxTakeovers bounds them in a minute. More is two processes fighting over one address.
const maxTakeovers = 3

// A node is the znode of one instance. All its writes are conditional: none changes or removes
// another incarnation of the node than the one that was looked at. One goroutine uses it.
type node struct {
	parent   string // the directory
	path     string
	instance string
	identity identity
	acl      []gozk.ACL // of what is created
	mode     watchMode
	owned    func(session int64) bool // is, or was, a session of this backend

	armed     *session.Conn // where the node is watched
	denied    denial
	takeovers []time.Time // from other processes, in the last minute
}

// A denial is what the ACLs did not let us do: the node of that session may not be removed, as long
// as nobody changes the ACL of the directory.
type denial struct {
	session int64
	version int32 // of the directory's ACL
}

func newNode(s *session.Session, c config, id identity, instance string) node {
	return node{
		parent:   c.parent,
		path:     c.parent + "/" + instance,
		instance: instance,
		identity: id,
		acl:      c.acl,
		mode:     c.watch,
		owned:    s.Owned,
	}
}

// stat looks at the node, nil if there is none, and sees to it that its next change makes an event.
func (n *node) stat(c *session.Conn) (*gozk.Stat, error) {
	exists := c.ExistsOnce
	if n.mode.persistent(c) {
		if n.armed != c {
			if err := c.AddWatch(n.path, session.Node); err != nil {
				return nil, err
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
// session. It writes nothing.
func (n *node) verify(c *session.Conn) error {
	stat, err := n.stat(c)
	switch {
	case err != nil:
		return err
	case stat == nil:
		return fmt.Errorf("%w: node removed", errLost)
	case stat.EphemeralOwner != c.Session:
		return fmt.Errorf("%w: node belongs to session 0x%x, ours is 0x%x",
			errLost, stat.EphemeralOwner, c.Session)
	}
	return nil
}

// create makes the node. It returns errChanged when there is one, and when there was no directory
// but is now.
func (n *node) create(c *session.Conn) error {
	_, err := c.Create(n.path, n.identity.at(n.instance), gozk.FlagEphemeral, n.acl)
	if !errors.Is(err, gozk.ErrNoNode) {
		return changed(err)
	}
	if err := n.createParents(c); err != nil {
		return err
	}
	return errChanged
}

// createParents makes the directory, level by level, as ordinary nodes: ZooKeeper would remove a
// container when it is empty, and with it the answer that there are no servers. ZooKeeper looks at
// permissions first: a level that may not be created may be there, and the next one tells.
func (n *node) createParents(c *session.Conn) (denied error) {
	for end := 1; end < len(n.parent); end++ {
		if next := strings.IndexByte(n.parent[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(n.parent)
		}
		_, err := c.Create(n.parent[:end], nil, 0, n.acl)
		switch {
		case err == nil, errors.Is(err, gozk.ErrNodeExists):
			denied = nil
		case errors.Is(err, gozk.ErrNoAuth):
			denied = fmt.Errorf("create %s: %w", n.parent[:end], err)
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
		if !ours {
			if err := n.checkStale(c, stat); err != nil {
				return err
			}
		}
		return n.replace(c, stat, wanted)
	})
	switch {
	case errors.Is(err, gozk.ErrNoAuth):
		return fmt.Errorf("%w: session 0x%x, whose node the ACLs do not let us replace",
			sd.ErrConflict, stat.EphemeralOwner)
	case err == nil && !ours:
		n.takeovers = append(n.takeovers, time.Now())
	}
	return err
}

// checkStale returns an error if the node is not stale: anything but what this host has written for
// the same address belongs to somebody, even if its data is empty.
func (n *node) checkStale(c *session.Conn, stat *gozk.Stat) error {
	data, now, err := c.Get(n.path)
	switch {
	case err != nil:
		return changed(err)
	case now.Czxid != stat.Czxid:
		return errChanged
	case !isEphemeral(now) || !n.identity.isPredecessor(data, n.instance, now.EphemeralOwner):
		return fmt.Errorf("%w: session 0x%x, data %.100q", sd.ErrConflict, now.EphemeralOwner, data)
	case n.countTakeovers() >= maxTakeovers:
		return fmt.Errorf("%w: process %d on this host; "+
			"nodes were taken from it, or its like, %d times within a minute",
			sd.ErrConflict, readIdentity(data).Process, len(n.takeovers))
	}
	return nil
}

// countTakeovers counts those of the last minute.
func (n *node) countTakeovers() int {
	isOld := func(t time.Time) bool { return time.Since(t) > time.Minute }
	n.takeovers = slices.DeleteFunc(n.takeovers, isOld)
	return len(n.takeovers)
}

// remembers reports whether the next Announce must know what happened in this one.
func (n *node) remembers() bool { return n.denied != denial{} || n.countTakeovers() > 0 }

// claim pins the incarnation of the node that stat describes, and tells watchers that it may be
// replaced or removed next (see changes). Every node begins with version 0, so a delete of version
// 0 could hit a successor as well. A claim is a Set: its reply tells whose node that was, and it
// leaves a version that a successor does not begin with. After it, a delete could hit only a node
// that came, and was written to just as often, in the time of a round trip. What is written says
// for whose node it was meant, in case it hits another.
func (n *node) claim(c *session.Conn, stat *gozk.Stat) (*gozk.Stat, error) {
	data := n.identity.claiming(n.instance, stat.EphemeralOwner)
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
func (n *node) replace(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	claimed, err := n.claim(c, stat)
	if err != nil {
		return err
	}
	if !wanted() {
		return errRevoked
	}
	results, err := c.Multi(
		&gozk.DeleteRequest{Path: n.path, Version: claimed.Version},
		&gozk.CreateRequest{
			Path:  n.path,
			Data:  n.identity.at(n.instance),
			Acl:   n.acl,
			Flags: gozk.FlagEphemeral,
		},
	)
	for _, r := range results {
		if err == nil {
			err = r.Error
		}
	}
	return changed(err)
}

// erase removes the node that stat describes, if that is wanted once it is claimed.
func (n *node) erase(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	return n.ifAllowed(c, stat, func() error {
		claimed, err := n.claim(c, stat)
		if err != nil {
			return err
		}
		if !wanted() {
			return errRevoked
		}
		return changed(c.Delete(n.path, claimed.Version))
	})
}

// ifAllowed does what removes the node. What the ACLs have denied once is not tried again before
// somebody changes the directory's. Its version is read before the attempt, so that an attempt is
// made again if the answer is about an older ACL.
func (n *node) ifAllowed(c *session.Conn, stat *gozk.Stat, do func() error) error {
	_, parent, err := c.Exists(n.parent)
	if err != nil {
		return err
	}
	now := denial{stat.EphemeralOwner, parent.Aversion}
	if isEphemeral(stat) && n.denied == now {
		return gozk.ErrNoAuth
	}
	if err = do(); errors.Is(err, gozk.ErrNoAuth) {
		n.denied = now
	}
	return err
}
