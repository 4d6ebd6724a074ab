package zk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// All of this file runs in the announcer's goroutine, one call at a time.

// maxTries bounds the attempts while others change the node at the same time.
const maxTries = 5

// run reconciles nodes with their desired states until ctx is done.
func (a *announcer) run(ctx context.Context) {
	defer close(a.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		c, changed := a.session.Conn()
		if c != nil && c.Err() == nil {
			timer.Reset(a.reconcileAll(c))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// reconcileAll reconciles each node that is due, and returns when the next one is.
func (a *announcer) reconcileAll(c *session.Conn) time.Duration {
	next := watch.AuditInterval
	known, again := a.readPolicy(c)
	a.policyKnown = known
	if !again.IsZero() {
		next = min(next, time.Until(again))
	}
	for _, e := range a.all() {
		if c.Err() != nil {
			break // on the next Conn all are due
		}
		d, due := a.isDue(e, c)
		if due {
			a.reconcile(c, e, d)
		}
		if d != ignore {
			next = min(next, time.Until(e.due))
		}
		a.drop(e)
	}
	return max(min(next, a.auditDirectory(c)), 0)
}

func (a *announcer) all() []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.entries))
}

// isDue reports whether e is to be reconciled on c, and with which state.
func (a *announcer) isDue(e *entry, c *session.Conn) (desired, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := e.desired != ignore && (e.pending || e.reconciledOn != c || !time.Now().Before(e.due))
	e.pending = e.pending && !due
	if due {
		e.node.attributes = e.attributes
	}
	return e.desired, due
}

// reconcile brings the node into state d, or finds it there.
func (a *announcer) reconcile(c *session.Conn, e *entry, d desired) {
	e.reconciledOn, e.due = c, time.Now().Add(watch.UntilAudit())
	if d == remove {
		a.remove(c, e)
		return
	}
	why := a.withheld(e)
	if !a.policyKnown && (d == create || d == withhold && why == nil) {
		e.reconciledOn, e.due = nil, a.policy.Due() // or as soon as it is known
		return
	}
	if d == withhold && why == nil && a.turn(e, withhold, create) {
		d = create
	}
	switch {
	case why != nil:
		a.withhold(c, e, d, why)
	case d == create:
		a.create(c, e)
	case d == keep:
		a.keep(c, e)
	}
}

// create sees to it that the node exists and belongs to the session of c.
func (a *announcer) create(c *session.Conn, e *entry) {
	if wait := a.fleet.Delay(c.Session); wait > 0 {
		e.due = time.Now().Add(wait)
		return
	}
	if e.node.since.IsZero() {
		e.node.since = time.Now()
	}
	err := a.try(func() error { return a.tryCreate(c, e) })
	e.inDoubt = err != nil
	if err != nil {
		a.report(e, create, ignore, report{err: err})
		return
	}
	a.fleet.Registered(c.Session)
	e.node.session = c.Session
	e.node.denied, e.node.failedOn = denial{}, nil // they were about another node
	a.report(e, create, keep, report{status: sd.Status{Phase: sd.Registered}})
}

func (a *announcer) tryCreate(c *session.Conn, e *entry) error {
	stat, err := e.node.stat(c)
	switch {
	case err != nil:
		return err
	case !a.wants(e, create):
		return errRevoked
	case stat == nil:
		return e.node.create(c)
	case stat.EphemeralOwner == c.Session:
		e.due = time.Now() // its data may have been changed before it was watched
		return nil
	default:
		return e.node.takeOver(c, stat, func() bool { return a.wants(e, create) })
	}
}

// keep finds out whether the node is still there and ours.
func (a *announcer) keep(c *session.Conn, e *entry) {
	switch err := e.node.verify(c, func() bool { return a.wants(e, keep) }); {
	case errors.Is(err, errLost):
		e.node.armed = nil // in case it was no event that told
		a.report(e, keep, ignore, report{err: err})
	case err != nil:
		e.due = e.node.again()
	}
}

// remove removes the node if it is ours.
func (a *announcer) remove(c *session.Conn, e *entry) {
	err := a.deleteNode(c, e, remove)
	if err == nil {
		e.node.denied = denial{} // of what is gone
	}
	switch {
	case err == nil, errors.Is(err, errForeign):
		e.node.since = time.Time{}
		a.report(e, remove, ignore, report{err: err})
	case !isDenial(err):
		e.due = e.node.again()
		if c.Err() == nil {
			a.noteTrouble(e, err)
		}
	case e.node.denied.session == c.Session && a.isAlone(e):
		a.session.Renew(c) // the node goes with the session
	default:
		if !errors.Is(err, gozk.ErrNoAuth) { // and no event tells that it may be done
			e.due = e.node.again()
		}
		err = fmt.Errorf("%w, and it stays as long as its session", err)
		a.report(e, remove, remove, report{err: err})
	}
}

// noteTrouble has a server's answer told if the desired state does not come about in time.
func (a *announcer) noteTrouble(e *entry, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.trouble = err
}

// deleteNode removes the node if it is ours, as long as d is the desired state. To withhold an
// instance is to remove a predecessor's node as well, which would be called until its session has
// ended.
func (a *announcer) deleteNode(c *session.Conn, e *entry, d desired) error {
	if e.inDoubt { // this server may not have heard yet of what another one was asked for
		if _, err := c.Sync(e.path); err != nil {
			return err
		}
		e.inDoubt = false
	}
	return a.try(func() error { return a.tryDelete(c, e, d) })
}

func (a *announcer) tryDelete(c *session.Conn, e *entry, d desired) error {
	exists, stat, err := c.Exists(e.path)
	wanted := func() bool { return a.wants(e, d) }
	switch {
	case err != nil:
		return err
	case !exists:
		return nil
	case a.session.Owned(stat.EphemeralOwner):
		return e.node.deleteOwn(c, stat, wanted)
	case d == remove:
		return errForeign
	default:
		return e.node.deleteStale(c, stat, wanted)
	}
}

// try calls f until the node did not change meanwhile.
func (a *announcer) try(f func() error) error {
	for range maxTries {
		if err := f(); !errors.Is(err, errChanged) {
			return err
		}
	}
	return errChanged
}

// isAlone reports whether e is the only node, but for those that the policy withholds, so that the
// session can be ended without taking another along.
func (a *announcer) isAlone(e *entry) bool {
	for _, other := range a.all() {
		stays := a.wants(other, create) || a.wants(other, keep)
		if other != e && stays && a.withheld(other) == nil {
			return false
		}
	}
	return true
}

// wants reports whether d is still the desired state of e.
func (a *announcer) wants(e *entry, d desired) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return e.desired == d
}

// turn makes next the desired state, if d still is that.
func (a *announcer) turn(e *entry, d, next desired) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.desired != d {
		return false
	}
	e.desired = next
	return true
}

// report tells the Announce the outcome of d, unless another state is desired by now, and makes
// next the desired state.
func (a *announcer) report(e *entry, d, next desired, r report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.desired != d {
		return
	}
	e.desired = next
	select {
	case <-e.reports:
	default:
	}
	e.reports <- r
}

// drop forgets the entry if nobody wants anything of it and nothing is to be remembered about the
// node.
func (a *announcer) drop(e *entry) {
	remember := e.inDoubt || e.node.remembers()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !e.busy && e.desired == ignore && !remember {
		delete(a.entries, e.path)
	}
}
