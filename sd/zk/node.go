package zk

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// What follows runs in the announcer's goroutine, one call at a time.

// nodeTries bounds the attempts while others change the node at the same time.
const nodeTries = 5

// look makes the node what w says, or finds that it is.
func (a *announcer) look(l *session.Conn, e *entry, w wish) {
	e.looked, e.audit = l, time.Now().Add(untilAudit())
	switch w {
	case publish:
		if wait := a.herd.delay(l.Session); wait > 0 {
			e.audit = time.Now().Add(wait)
			return
		}
		err := a.publish(l, e)
		next := leave
		e.unsure = err != nil
		if err == nil {
			next, a.herd.session = hold, l.Session
			e.barred = 0
		}
		a.report(e, w, next, err)
	case hold:
		switch err := a.verify(l, e); {
		case errors.Is(err, errLost):
			e.armed = nil // in case it was no event that told
			a.report(e, w, leave, err)
		case err != nil:
			e.audit = time.Now().Add(retryPause)
		}
	case withdraw:
		switch err := a.remove(l, e); {
		case err == nil:
			a.report(e, w, leave, nil)
		case !errors.Is(err, gozk.ErrNoAuth):
			e.audit = time.Now().Add(retryPause)
		case e.barred == l.Session && a.alone(e):
			a.session.Renew(l) // the node goes with the session
		default:
			a.report(e, w, withdraw, fmt.Errorf("%w, and it stays as long as its session", err))
		}
	}
}

// alone reports whether e is the only node, so that the session can be ended
// without taking another along.
func (a *announcer) alone(e *entry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.entries {
		if other != e && (other.wish == publish || other.wish == hold) {
			return false
		}
	}
	return true
}

// publish makes sure that the node exists and belongs to the session of l.
func (a *announcer) publish(l *session.Conn, e *entry) error {
	for range nodeTries {
		exists, stat, err := a.stat(l, e)
		switch {
		case err != nil:
			return err
		case !a.wanted(e, publish):
			return errRevoked
		case !exists:
			err = a.create(l, e)
		case stat.EphemeralOwner == l.Session:
			return nil
		default:
			err = a.takeOver(l, e, stat)
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return errChanged
}

// stat looks at the node, and sees to it that its next change makes an event.
func (a *announcer) stat(l *session.Conn, e *entry) (bool, *gozk.Stat, error) {
	if !a.watch.persistent(l) {
		return l.ExistsOnce(e.path)
	}
	if e.armed != l {
		if err := l.AddWatch(e.path, session.Node); err != nil {
			return false, nil, err
		}
		e.armed = l
	}
	return l.Exists(e.path)
}

// create makes the node, and the directory if there is none.
func (a *announcer) create(l *session.Conn, e *entry) error {
	_, err := l.Create(e.path, a.identity.at(e.instance), gozk.FlagEphemeral, a.acl)
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
// that there are no servers. ZooKeeper looks at permissions first: a level that
// may not be created may be there, and the next one tells.
func (a *announcer) createParents(l *session.Conn) (barred error) {
	for end := 1; end < len(a.parent); end++ {
		if next := strings.IndexByte(a.parent[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(a.parent)
		}
		_, err := l.Create(a.parent[:end], nil, 0, a.acl)
		switch {
		case err == nil, errors.Is(err, gozk.ErrNodeExists):
			barred = nil
		case errors.Is(err, gozk.ErrNoAuth):
			barred = fmt.Errorf("create %s: %w", a.parent[:end], err)
		case errors.Is(err, gozk.ErrNoNode) && barred != nil:
			return barred
		default:
			return err
		}
	}
	return barred
}

// verify returns an error that matches errLost if the node is not, or not any
// more, the one of this session. It writes nothing.
func (a *announcer) verify(l *session.Conn, e *entry) error {
	exists, stat, err := a.stat(l, e)
	switch {
	case err != nil:
		return err
	case !exists:
		return fmt.Errorf("%w: node removed", errLost)
	case stat.EphemeralOwner != l.Session:
		return fmt.Errorf("%w: node belongs to session 0x%x, ours is 0x%x", errLost, stat.EphemeralOwner, l.Session)
	}
	return nil
}

// remove removes the node if it is ours.
func (a *announcer) remove(l *session.Conn, e *entry) error {
	if e.unsure { // this server may not have heard yet of what another one was asked for
		if _, err := l.Sync(e.path); err != nil {
			return err
		}
		e.unsure = false
	}
	for range nodeTries {
		exists, stat, err := l.Exists(e.path)
		if err != nil {
			return err
		}
		if !exists || !a.session.Owned(stat.EphemeralOwner) {
			return nil
		}
		err = a.ifAllowed(l, e, stat, func() error { return a.erase(l, e, stat) })
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return errChanged
}

// erase removes the node that stat describes, and no other.
func (a *announcer) erase(l *session.Conn, e *entry, stat *gozk.Stat) error {
	claimed, err := a.claim(l, e, stat)
	if err != nil {
		return err
	}
	if !a.wanted(e, withdraw) {
		return errRevoked
	}
	return changed(l.Delete(e.path, claimed.Version))
}
