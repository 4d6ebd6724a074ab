package zk

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// mostTakeovers bounds them in a minute. More is two processes fighting over one
// address.
const mostTakeovers = 3

// takeOver replaces a node of ours from an earlier session or process, if the
// ACLs let it. If not it is a conflict, which ends with that session.
func (a *announcer) takeOver(l *session.Conn, e *entry, stat *gozk.Stat) error {
	err := a.ifAllowed(l, e, stat, func() error { return a.replace(l, e, stat) })
	if errors.Is(err, gozk.ErrNoAuth) {
		return fmt.Errorf("%w: session 0x%x, whose node the ACLs do not let us replace", sd.ErrConflict, stat.EphemeralOwner)
	}
	return err
}

// ifAllowed does what removes the node. What the ACLs have barred once is not
// tried again before somebody changes the directory's.
func (a *announcer) ifAllowed(l *session.Conn, e *entry, stat *gozk.Stat, do func() error) error {
	_, parent, err := l.Exists(a.parent) // before the attempt: it is tried again if the answer is about an older ACL
	if err != nil {
		return err
	}
	if isEphemeral(stat) && stat.EphemeralOwner == e.barred && parent.Aversion == e.barredAt {
		return gozk.ErrNoAuth
	}
	if err = do(); errors.Is(err, gozk.ErrNoAuth) {
		e.barred, e.barredAt = stat.EphemeralOwner, parent.Aversion
	}
	return err
}

// replace puts a node of this session in the place of a ghost. The ghost
// is claimed first: a Set, whose reply tells whose node that was, and which
// leaves a version that a successor does not begin with. Every node begins with
// version 0, so a Delete of version 0 could hit a successor as well; after the
// claim only one that came, and was written to just as often, in the time of a
// round trip. The Delete and the Create are one transaction, so that nobody
// lists a gap.
func (a *announcer) replace(l *session.Conn, e *entry, stat *gozk.Stat) error {
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
			Acl:   a.acl,
			Flags: gozk.FlagEphemeral,
		},
	)
	for _, r := range results {
		if err == nil {
			err = r.Error
		}
	}
	if err == nil && !a.session.Owned(stat.EphemeralOwner) {
		e.takeovers = append(e.takeovers, time.Now())
	}
	return changed(err)
}

// mayTakeOver returns nil if the node is a ghost: owned by a session that this
// backend held before, or written by this host for the same address. Anything
// else belongs to somebody, even if its data is empty.
func (a *announcer) mayTakeOver(l *session.Conn, e *entry, stat *gozk.Stat) error {
	if a.session.Owned(stat.EphemeralOwner) {
		return nil
	}
	data, now, err := l.Get(e.path)
	if err != nil {
		return changed(err)
	}
	if now.Czxid != stat.Czxid {
		return errChanged
	}
	if !isEphemeral(now) || !a.identity.ghost(data, e.instance, now.EphemeralOwner) {
		return fmt.Errorf("%w: session 0x%x, data %.100q", sd.ErrConflict, now.EphemeralOwner, data)
	}
	if e.countTakeovers() >= mostTakeovers {
		return fmt.Errorf("%w: process %d on this host; nodes were taken from it, or its like, %d times within a minute",
			sd.ErrConflict, readIdentity(data).Process, len(e.takeovers))
	}
	return nil
}

// countTakeovers counts those of the last minute.
func (e *entry) countTakeovers() int {
	minuteAgo := time.Now().Add(-time.Minute)
	e.takeovers = slices.DeleteFunc(e.takeovers, func(t time.Time) bool { return t.Before(minuteAgo) })
	return len(e.takeovers)
}

// remember reports whether the next Announce of the same instance must know
// what happened in this one.
func (e *entry) remember() bool {
	return e.unsure || e.barred != 0 || e.countTakeovers() > 0
}

// claim pins the incarnation of the node that stat describes, and tells watchers
// that a takeover may follow (see settle). What it writes says for whose node
// that was meant, in case it hits another.
func (a *announcer) claim(l *session.Conn, e *entry, stat *gozk.Stat) (*gozk.Stat, error) {
	claimed, err := l.Set(e.path, a.identity.claiming(e.instance, stat.EphemeralOwner), stat.Version)
	if err != nil {
		return nil, changed(err)
	}
	if claimed.EphemeralOwner != stat.EphemeralOwner {
		return nil, errChanged
	}
	return claimed, nil
}
