package zk

import (
	"errors"
	"slices"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/gate"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// A policyReader holds the policy for the announcer. It is read before the first node is created on
// each Conn, and when it has changed: by a watch on the directory's data alone, or by that of a
// Watch on the same Backend (see watch.Directory.ReadData). Only the announcer's goroutine uses it.
type policyReader struct {
	watch.PolicySchedule
	gate gate.Gate // of the last policy that was readable
	// readOn is where that was, and where its changes make events. Nil: it was never read, or
	// failed to be where it was tried last.
	readOn *session.Conn

	auditAt time.Time // when to look at the directory again; zero: at once
}

// readPolicy has the policy known on c, as far as it can be. It reports whether a node may be
// created by what is known, and when to be called again, if nothing happens before; the zero time
// is never. What changed while there was nothing to register is read before there is: a node that
// is withdrawn does not appear at all.
//
// A directory that is missing has no policy, and no watch that tells of one. So it is made first,
// if there is to be a node in it.
func (a *announcer) readPolicy(c *session.Conn) (known bool, again time.Time) {
	p := &a.policy
	if a.takeChanged() {
		p.Changed()
	}
	wanted := a.wanted()
	if a.noPolicy || len(wanted) == 0 {
		return a.noPolicy, time.Time{}
	}
	here, due := p.readOn == c, p.Due()
	idle := here && due.IsZero()
	waiting := time.Now().Before(due) && (here || p.readOn == nil) // what failed elsewhere may succeed
	if idle || waiting {
		return here && !p.Outdated(), due
	}
	data, stat, err := a.directory.ReadData(c)
	if errors.Is(err, gozk.ErrNoNode) && !slices.Equal(wanted, []desired{keep}) {
		if c.CreatePath(a.parent, a.acl) == nil { // the error will be that of the node
			data, stat, err = a.directory.ReadData(c)
		}
	}
	return a.learnPolicy(c, data, stat, err)
}

// learnPolicy takes in the result of a read on c. It returns what readPolicy does.
func (a *announcer) learnPolicy(
	c *session.Conn, data []byte, stat *gozk.Stat, err error,
) (known bool, again time.Time) {
	p := &a.policy
	switch {
	case c.Err() != nil:
		for _, e := range a.all() { // as if it had been the creation
			a.report(e, create, ignore, report{err: c.Err()})
		}
		return false, time.Time{}
	case errors.Is(err, gozk.ErrNoNode):
		p.PolicySchedule, p.readOn = watch.PolicySchedule{}, nil
		_ = p.gate.SetPolicy("")
	case errors.Is(err, gozk.ErrNoAuth): // not for this registrar to follow, as the ACL is
		p.Denied()
		p.readOn = c
		return true, p.Due()
	case err != nil:
		p.readOn = nil
		if p.Failed(time.Now()); !p.Lacking() {
			return false, p.Due()
		}
		p.readOn = c
		return true, p.Due()
	default:
		p.Learned(stat, 0)
		p.readOn = c
		a.fleet.Seen(int(stat.NumChildren), c.Session)
		p.auditAt = time.Now().Add(watch.UntilAudit())
		_ = p.gate.SetPolicy(string(data)) // an unreadable one is told by a Watch, and the last stays
	}
	a.evaluateAll()
	return true, time.Time{}
}

// wanted returns what is wanted of nodes that are to exist, unless the policy withholds them; each
// once, and sorted.
func (a *announcer) wanted() (all []desired) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.desired != ignore && e.desired != remove {
			all = append(all, e.desired)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// takeChanged reports whether an event told of another policy since the last call.
func (a *announcer) takeChanged() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := a.policyChanged
	a.policyChanged = false
	return changed
}

// evaluateAll has every entry reconciled, because the policy may say something else of it.
func (a *announcer) evaluateAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		e.pending = true
	}
}

// withheld returns why the policy withholds the node of e, or nil, and has that asked again when
// lines expire.
func (a *announcer) withheld(e *entry) (why error) {
	if a.noPolicy {
		return nil
	}
	of := policy.Entry{Instance: e.node.instance, Attributes: e.node.attributes}
	again, why := a.policy.gate.Withheld(of, time.Now())
	if !again.IsZero() && again.Before(e.due) {
		e.due = again
	}
	return why
}

// withhold sees to it that there is no node of ours, and none of a predecessor's, and tells why. A
// node that is another's is left alone.
func (a *announcer) withhold(c *session.Conn, e *entry, d desired, why error) {
	err := a.deleteNode(c, e, d)
	switch {
	case err == nil, errors.Is(err, sd.ErrConflict):
		e.node.since = time.Time{}
		a.report(e, d, withhold, report{status: sd.Status{Phase: sd.Withheld, Err: why}})
	case isDenial(err) && e.node.denied.session == c.Session && a.isAlone(e):
		a.session.Renew(c) // the node goes with the session
	default:
		e.due = e.node.again()
		a.report(e, create, ignore, report{err: err}) // if it was to be created
	}
}

// auditDirectory learns, now and then, the size of the directory, and whether an event about the
// policy was missed: that it changed, or that the directory is gone and its policy with it. It
// returns when to be called again.
func (a *announcer) auditDirectory(c *session.Conn) (again time.Duration) {
	p := &a.policy
	if len(a.wanted()) == 0 {
		return watch.AuditInterval
	}
	if wait := time.Until(p.auditAt); wait > 0 {
		return wait
	}
	exists, stat, err := c.Exists(a.parent)
	if err != nil {
		return retryInterval
	}
	if exists {
		a.fleet.Seen(int(stat.NumChildren), c.Session)
	} else {
		stat = nil
	}
	if p.readOn == c && p.Differs(stat) {
		p.Changed()
		a.wake.Set()
	}
	again = watch.UntilAudit()
	p.auditAt = time.Now().Add(again)
	return again
}
