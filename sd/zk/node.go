package zk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// What follows runs in the announcer's goroutine, one call at a time.

const (
	mostTakeovers = 3 // a minute; more is two processes fighting over one address
	nodeTries     = 5 // while others change the node at the same time
)

var (
	errLost    = errors.New("registration lost")
	errChanged = errors.New("node keeps changing")
	errRevoked = errors.New("no longer wanted")
)

// publish makes sure that the node exists and belongs to the session of l.
func (a *announcer) publish(l *link, e *entry) error {
	for range nodeTries {
		exists, stat, err := a.stat(l, e)
		switch {
		case err != nil:
			return denied(err)
		case !a.wanted(e, publish):
			return errRevoked
		case !exists:
			err = a.create(l, e)
		case stat.EphemeralOwner == l.session:
			return nil
		default:
			err = a.takeOver(l, e, stat)
		}
		if !errors.Is(err, errChanged) {
			return denied(err)
		}
	}
	return errChanged
}

// stat looks at the node, and sees to it that its next change makes an event.
func (a *announcer) stat(l *link, e *entry) (bool, *gozk.Stat, error) {
	if !a.keeper.persistent(l.server) {
		return l.Exists(watchOnce + e.path)
	}
	if e.armed != l {
		if err := addWatch(l.Conn, watchNode, e.path); err != nil {
			a.keeper.noteAge(l)
			return false, nil, err
		}
		e.armed = l
	}
	return l.Exists(e.path)
}

// create makes the node, and the directory if there is none.
func (a *announcer) create(l *link, e *entry) error {
	_, err := l.Create(e.path, a.identity.at(e.instance), gozk.FlagEphemeral, gozk.WorldACL(gozk.PermAll))
	switch {
	case errors.Is(err, gozk.ErrNodeExists):
		return errChanged
	case errors.Is(err, gozk.ErrNoNode):
		if err := a.createParents(l); err != nil {
			return err
		}
		return errChanged
	default:
		return err
	}
}

// createParents makes the directory, level by level, as ordinary nodes:
// ZooKeeper would remove a container when it is empty, and with it the answer
// that there are no servers.
func (a *announcer) createParents(l *link) error {
	for end := 1; end < len(a.parent); end++ {
		if next := strings.IndexByte(a.parent[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(a.parent)
		}
		_, err := l.Create(a.parent[:end], nil, 0, gozk.WorldACL(gozk.PermAll))
		if err != nil && !errors.Is(err, gozk.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// takeOver replaces a node of ours from an earlier session or process. The node
// is claimed first: a Set, whose reply tells whose node that was, and after
// which the version belongs to this incarnation alone. Every node begins with
// version 0, so a Delete of version 0 could hit a successor as well. The Delete
// and the Create are one transaction, so that nobody lists a gap.
func (a *announcer) takeOver(l *link, e *entry, stat *gozk.Stat) error {
	if err := a.mayTakeOver(l, e, stat); err != nil {
		return err
	}
	claimed, err := a.claim(l, e, stat)
	if err != nil {
		return err
	}
	if !a.wanted(e, publish) {
		return errRevoked
	}
	results, err := l.Multi(
		&gozk.DeleteRequest{Path: e.path, Version: claimed.Version},
		&gozk.CreateRequest{
			Path:  e.path,
			Data:  a.identity.at(e.instance),
			Acl:   gozk.WorldACL(gozk.PermAll),
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

// mayTakeOver returns nil if the node is a ghost: owned by a session that this
// backend held before, or written by this host for the same address. Anything
// else belongs to somebody, even if its data is empty.
func (a *announcer) mayTakeOver(l *link, e *entry, stat *gozk.Stat) error {
	if a.keeper.owned(stat.EphemeralOwner) {
		return nil
	}
	data, now, err := l.Get(e.path)
	if err != nil {
		return changed(err)
	}
	if now.Czxid != stat.Czxid {
		return errChanged
	}
	if !isEphemeral(now) || now.EphemeralOwner == e.stranger || !a.identity.ghost(data, e.instance) {
		return fmt.Errorf("%w: session 0x%x, data %.100q", sd.ErrConflict, now.EphemeralOwner, data)
	}
	minuteAgo := time.Now().Add(-time.Minute)
	e.takeovers = slices.DeleteFunc(e.takeovers, func(t time.Time) bool { return t.Before(minuteAgo) })
	if len(e.takeovers) >= mostTakeovers {
		return fmt.Errorf("%w: another process on this host, which took the node %d times within a minute", sd.ErrConflict, len(e.takeovers))
	}
	e.takeovers = append(e.takeovers, time.Now())
	return nil
}

// claim pins the incarnation of the node that stat describes: after it, no
// other has the version it returns.
func (a *announcer) claim(l *link, e *entry, stat *gozk.Stat) (*gozk.Stat, error) {
	claimed, err := l.Set(e.path, a.identity.at(e.instance), stat.Version)
	if err != nil {
		return nil, changed(err)
	}
	if claimed.EphemeralOwner != stat.EphemeralOwner {
		e.stranger = claimed.EphemeralOwner // its data looks like ours now, but it is not
		return nil, errChanged
	}
	return claimed, nil
}

// verify returns an error that matches errLost if the node is not, or not any
// more, the one of this session. It writes nothing.
func (a *announcer) verify(l *link, e *entry) error {
	exists, stat, err := a.stat(l, e)
	switch {
	case err != nil:
		return err
	case !exists:
		return fmt.Errorf("%w: node removed", errLost)
	case stat.EphemeralOwner != l.session:
		return fmt.Errorf("%w: node belongs to session 0x%x, ours is 0x%x", errLost, stat.EphemeralOwner, l.session)
	}
	return nil
}

// remove removes the node if it is ours.
func (a *announcer) remove(l *link, e *entry) error {
	for range nodeTries {
		exists, stat, err := l.Exists(e.path)
		if err != nil {
			return err
		}
		if !exists || !a.keeper.owned(stat.EphemeralOwner) {
			return nil
		}
		claimed, err := a.claim(l, e, stat)
		if err == nil {
			err = changed(l.Delete(e.path, claimed.Version))
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return errChanged
}

// changed turns the errors of somebody else's change into errChanged.
func changed(err error) error {
	for _, known := range []error{gozk.ErrNoNode, gozk.ErrNodeExists, gozk.ErrBadVersion} {
		if errors.Is(err, known) {
			return errChanged
		}
	}
	return err
}

// denied marks the errors that only a person can mend.
func denied(err error) error {
	for _, known := range []error{gozk.ErrNoAuth, gozk.ErrInvalidACL, gozk.ErrAuthFailed} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", sd.ErrDenied, err)
		}
	}
	return err
}
