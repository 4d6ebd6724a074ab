package zk

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxTakeovers bounds them in a minute. More is two processes fighting over one address.
const maxTakeovers = 3

// takeOver puts a node of this session in the place of a stale one, which an earlier session or
// process of ours has left. Any other is a conflict, and so is one that the ACLs do not let us
// remove: that ends with its session.
func (n *node) takeOver(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	return n.displace(c, stat, func(data []byte) error {
		return n.claimAndReplace(c, stat, data, wanted)
	})
}

// deleteStale removes a stale node, by the rules of takeOver.
func (n *node) deleteStale(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	return n.displace(c, stat, func(data []byte) error {
		return n.claimAndDelete(c, stat, data, wanted)
	})
}

// displace calls do, which removes or replaces the node, with the data that another process left in
// it or with none.
func (n *node) displace(c *session.Conn, stat *gozk.Stat, do func(data []byte) error) error {
	ours := n.owned(stat.EphemeralOwner)
	err := n.ifAllowed(c, stat, func() error {
		if ours {
			return do(nil)
		}
		data, err := n.readStale(c, stat)
		if err != nil {
			return err
		}
		return do(data)
	})
	kind := permanence(stat.EphemeralOwner)
	switch {
	case errors.Is(err, gozk.ErrNoAuth) && kind != "":
		return fmt.Errorf("%w: %s", sd.ErrConflict, kind)
	case errors.Is(err, gozk.ErrNoAuth):
		return fmt.Errorf("%w: session 0x%x, whose node the ACLs do not let us replace",
			sd.ErrConflict, uint64(stat.EphemeralOwner))
	case isDenial(err): // not wrapped: the end of that session is waited for
		return fmt.Errorf("%w: session 0x%x: %v", sd.ErrConflict, uint64(stat.EphemeralOwner), err)
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
		return nil, asChanged(err)
	case now.Czxid != stat.Czxid:
		return nil, errChanged
	}
	if kind := permanence(now.EphemeralOwner); kind != "" {
		return nil, fmt.Errorf("%w: %s, data %.100q", sd.ErrConflict, kind, data)
	}
	other, _ := record.Parse(data) // its attributes do not matter
	switch {
	case !other.IsPredecessor(n.owner, n.instance, now.EphemeralOwner):
		return nil, fmt.Errorf("%w: session 0x%x, data %.100q",
			sd.ErrConflict, uint64(now.EphemeralOwner), data)
	case n.takeovers.count() >= maxTakeovers:
		return nil, fmt.Errorf("%w: process %d on this host; "+
			"nodes were taken from it, or its like, %d times within a minute",
			sd.ErrConflict, other.Owner.Process, len(n.takeovers))
	}
	return data, nil
}

// permanence says what a node of that owner is if it ends with no session, and else nothing. A
// container node, and one with a lifetime of its own, have an owner that is no session (class
// EphemeralType of ZooKeeper).
func permanence(owner int64) string {
	switch {
	case owner == 0:
		return "a permanent node, which only a person can delete"
	case owner == math.MinInt64:
		return "a container node, which only a person can delete"
	case uint64(owner)>>40 == 0xff0000: // before the milliseconds
		return "a node with a lifetime of its own (TTL), which only a person can delete"
	}
	return ""
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
	n.said = nil // whatever becomes of the claim, it is not the last word
	data = n.owner.Claim(data, n.document(), stat.EphemeralOwner)
	claimed, err := c.Set(n.path, data, stat.Version)
	if err != nil {
		return nil, asChanged(err)
	}
	if claimed.EphemeralOwner != stat.EphemeralOwner {
		return nil, errChanged
	}
	return claimed, nil
}

// claimAndReplace puts a node of this session in the place of the one that stat describes, if that
// is wanted once it is claimed. Delete and Create are one transaction, so that nobody lists a gap.
func (n *node) claimAndReplace(
	c *session.Conn, stat *gozk.Stat, data []byte, wanted func() bool,
) error {
	claimed, err := n.claim(c, stat, data)
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
	return asChanged(err)
}

// deleteOwn removes the node of this backend that stat describes, if that is wanted once it is
// claimed.
func (n *node) deleteOwn(c *session.Conn, stat *gozk.Stat, wanted func() bool) error {
	return n.ifAllowed(c, stat, func() error { return n.claimAndDelete(c, stat, nil, wanted) })
}

// claimAndDelete is deleteOwn without a look at what is allowed.
func (n *node) claimAndDelete(
	c *session.Conn, stat *gozk.Stat, data []byte, wanted func() bool,
) error {
	claimed, err := n.claim(c, stat, data)
	if err != nil {
		return err
	}
	if !wanted() {
		return errRevoked
	}
	return asChanged(c.Delete(n.path, claimed.Version))
}

// ifAllowed calls do, which removes the node. After a denial it is not tried again before somebody
// changes the directory's ACL, whose version is read before the attempt in case that is about an
// older one. Any other failure has it wait on this Conn: a claim before it was an event to us.
func (n *node) ifAllowed(c *session.Conn, stat *gozk.Stat, do func() error) error {
	if n.failedOn == c && time.Now().Before(n.againAt) {
		return n.failure
	}
	_, parent, err := c.Exists(n.parent)
	if err != nil {
		return err
	}
	now := denial{stat.EphemeralOwner, parent.Aversion}
	if stat.EphemeralOwner != 0 && n.denied == now {
		return gozk.ErrNoAuth
	}
	switch err = do(); {
	case err == nil, errors.Is(err, errRevoked), errors.Is(err, sd.ErrConflict):
	case errors.Is(err, errChanged) && n.races.count() < maxTries:
		n.races.add() // others are quick; who loses each time does not hurry
	case errors.Is(err, gozk.ErrNoAuth):
		n.denied = now
	case isDenial(err):
		n.denied = denial{stat.EphemeralOwner, -1}
		n.failure, n.failedOn, n.againAt = err, c, time.Now().Add(deniedPause+rand.N(deniedPause/2))
	default:
		n.failure, n.failedOn, n.againAt = err, c, time.Now().Add(retryInterval)
	}
	return err
}

// again is when to try again what has failed.
func (n *node) again() time.Time {
	return time.Now().Add(max(retryInterval, time.Until(n.againAt)))
}

// isDenial reports whether err is one that only a person can mend. One that ends the connection as
// well is the member's own, and the next one may do what was asked for.
func isDenial(err error) bool {
	return errors.Is(err, gozk.ErrNoAuth) ||
		errors.Is(err, session.ErrDenied) && !errors.Is(err, session.ErrDisconnected)
}
