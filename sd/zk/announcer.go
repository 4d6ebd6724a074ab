package zk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/internal/signal"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/internal/herd"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

const (
	// withdrawTimeout bounds how long Announce waits for a withdrawal.
	withdrawTimeout = 2 * time.Second
	// waitTimeout is how long Announce waits for a session before it says that there is none.
	waitTimeout = time.Second
	// retryInterval is the time between two attempts to withdraw on one Conn.
	retryInterval = time.Second
	// deniedPause is the least time between two tries of what a quota denies.
	deniedPause = 10 * time.Second
)

// A desired state is the end that a node is to come to.
type desired int

const (
	ignore   desired = iota // nothing: nobody has decided
	create                  // it is to exist, and be ours
	keep                    // see that it stays
	withhold                // it is gone, as long as the policy says so
	remove                  // it is to be gone, if it is ours
)

// An announcer makes all changes of instances' nodes that a backend makes in ZooKeeper, one after
// the other, in one goroutine. It holds the desired state of each node and reconciles the node with
// it, whenever the session changes, the node's watch fires, or an audit is due. So it does not
// matter which reply got lost. The package comment has the table of states.
type announcer struct {
	session *session.Session
	newNode func(instance string) node
	parent  string
	acl     []gozk.ACL    // of what is created
	wake    signal.Signal // a desired state or a node has changed
	done    chan struct{} // closed when the goroutine has ended

	directory *watch.Directory // has the watch
	noPolicy  bool             // it is not followed

	// Of the goroutine alone.
	fleet       herd.Fleet
	policy      policyReader
	policyKnown bool // as far as it can be

	mu            sync.Mutex
	entries       map[string]*entry // by path
	policyChanged bool              // since it was last looked at
}

// An entry is one node that is, or was, to be registered.
type entry struct {
	order           // guarded by the announcer's lock; reports is received from without it
	progress        // of the announcer's goroutine alone
	path     string // of the node
}

// An order is set by the callers of Announce.
type order struct {
	busy    bool // an Announce is under way
	desired desired
	pending bool        // desired state or node may have changed since it was reconciled last
	reports chan report // to that Announce; capacity 1, the latest wins
	trouble error       // why the desired state has not come about, though the server answers

	attributes policy.Attributes // of the instance
}

// A report is the outcome of a desired state: the status of the node, or the end of the Announce.
type report struct {
	status sd.Status
	err    error
}

// A progress is how far reconciling has come.
type progress struct {
	node         node
	reconciledOn *session.Conn // nil: nowhere yet
	due          time.Time     // when to reconcile again, if nothing happens
	inDoubt      bool          // a change may be under way whose reply was lost
}

func newAnnouncer(s *session.Session, c config, d *watch.Directory) *announcer {
	owner := record.Self()
	return &announcer{
		session: s,
		newNode: func(instance string) node { return newNode(s, c, owner, instance) },
		parent:  c.directory.Parent,
		acl:     c.acl,

		directory: d,
		noPolicy:  c.directory.NoPolicy,
		wake:      signal.New(),
		done:      make(chan struct{}),
		entries:   map[string]*entry{},
	}
}

// announce is sd.Backend's Announce.
func (a *announcer) announce(ctx context.Context, of sd.Entry, told func(sd.Status)) error {
	e, err := a.begin(of)
	if err != nil {
		return err
	}
	defer a.end(e)
	if ctx.Err() == nil {
		if err := a.hold(ctx, e, of.Changes, told); err != nil {
			a.setDesired(e, ignore)
			return fmt.Errorf("zk: announce %s: %w", e.path, err)
		}
	}
	return a.withdraw(ctx, e)
}

// begin claims the entry for one Announce.
func (a *announcer) begin(of sd.Entry) (*entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := a.parent + "/" + of.Instance
	e := a.entries[path]
	if e == nil {
		e = &entry{path: path, progress: progress{node: a.newNode(of.Instance)}}
		a.entries[path] = e
	}
	if e.busy {
		return nil, fmt.Errorf("zk: announce %s: %w: by this process", path, sd.ErrConflict)
	}
	e.busy, e.reports, e.attributes = true, make(chan report, 1), of.Attributes
	return e, nil
}

// end gives the entry back.
func (a *announcer) end(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.busy = false
	a.wake.Set() // see drop
}

// hold has the node created, and replaced when its attributes change, tells where it stands, and
// returns nil when ctx is done, and an error when the node cannot be vouched for. A node that is
// withheld is not missed, however long there is no session.
func (a *announcer) hold(
	ctx context.Context, e *entry, changes <-chan policy.Attributes, told func(sd.Status),
) error {
	a.setDesired(e, create)
	var last sd.Status
	outage := time.NewTimer(waitTimeout)
	defer outage.Stop()
	type standing struct {
		session <-chan struct{} // closed when another Conn, or none, is up
		phase   sd.Phase
	}
	var bounded standing
	for {
		c, changed := a.session.Conn()
		if now := (standing{changed, last.Phase}); now != bounded { // and not whatever else woke us
			a.boundOutage(outage, c, last.Phase)
			bounded = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.session.Done():
			return session.ErrClosed
		case <-changed:
		case <-outage.C:
			if err := a.session.Err(); err != nil {
				return err
			}
		case next, open := <-changes:
			if !open {
				changes = nil
				break
			}
			a.setAttributes(e, next)
		case r := <-e.reports:
			if r.err != nil {
				return r.err
			}
			if r.status.Phase != last.Phase || fmt.Sprint(r.status.Err) != fmt.Sprint(last.Err) {
				last = r.status
				told(last)
			}
		}
	}
}

// boundOutage sets how long a node that was told to be in phase is vouched for without a Conn.
func (a *announcer) boundOutage(outage *time.Timer, c *session.Conn, phase sd.Phase) {
	switch {
	case c != nil, phase == sd.Withheld:
		outage.Stop()
	case phase == sd.Registered:
		outage.Reset(a.session.Timeout()) // then the session has expired, as far as is known
	default:
		outage.Reset(waitTimeout)
	}
}

// setAttributes has the node say something else.
func (a *announcer) setAttributes(e *entry, attributes policy.Attributes) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.attributes, e.pending = attributes, true
	a.wake.Set()
}

// withdraw has the node removed, and returns ctx's error once that is confirmed. If another's node
// is in its place, the error matches sd.ErrConflict as well.
func (a *announcer) withdraw(ctx context.Context, e *entry) error {
	a.setDesired(e, remove)
	timer := time.NewTimer(withdrawTimeout)
	defer timer.Stop()
	var err error
	select {
	case r := <-e.reports:
		err = r.err
	case <-a.session.Closed():
		if !a.session.Close() {
			err = errCloseUnconfirmed
		}
	case <-timer.C:
		err = a.unconfirmed(e)
	}
	switch {
	case err == nil:
		return ctx.Err()
	case errors.Is(err, errForeign): // and so it is not ours any more
		return fmt.Errorf("zk: withdraw %s: %w: %w", e.path, err, ctx.Err())
	default:
		return &unconfirmedError{e.path, err, ctx.Err()}
	}
}

// unconfirmed is why the node is not known to be removed yet.
func (a *announcer) unconfirmed(e *entry) error {
	if err := a.session.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err := cmp.Or(e.trouble, errSilent)
	if c, _ := a.session.Conn(); c != nil {
		err = fmt.Errorf("%s: %w", c.Server, err)
	}
	return err
}

// setDesired sets the desired state of a node. A report about an earlier one is dropped.
func (a *announcer) setDesired(e *entry, d desired) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.desired, e.pending, e.trouble = d, true, nil
	select {
	case <-e.reports:
	default:
	}
	a.wake.Set()
}

// event takes note of an event of a node, or of the directory itself. It does not block.
func (a *announcer) event(e gozk.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.Path == a.parent && e.Type != gozk.EventNodeChildrenChanged {
		a.policyChanged = true
		a.wake.Set()
	}
	if entry := a.entries[e.Path]; entry != nil {
		entry.pending = true
		a.wake.Set()
	}
}
