package zk

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// withdrawTime bounds how long Announce waits for a withdrawal.
const withdrawTime = 2 * time.Second

// waitTimeout is how long Announce waits for a session before it says that there
// is none.
const waitTimeout = time.Second

// retryPause is the time between two attempts to withdraw on one link.
const retryPause = time.Second

// A wish is what should become of a node.
type wish int

const (
	leave    wish = iota // nothing: nobody has decided
	publish              // create it, or take it over
	hold                 // see that it stays
	withdraw             // remove it if it is ours
)

// An announcer makes all changes that a backend makes in ZooKeeper, one after
// the other, in one goroutine. It holds the wish for each node and compares it
// with what is there, whenever the session changes, the node's watch fires, or
// an audit is due. So it does not matter which reply got lost.
type announcer struct {
	session  *session.Session
	parent   string
	watch    watchMode
	acl      []gozk.ACL // of new nodes
	identity identity
	wake     chan struct{} // capacity 1: a wish or a node has changed
	done     chan struct{} // closed when the goroutine has ended
	herd     herd

	mu      sync.Mutex
	entries map[string]*entry // by path
}

// An entry is one node that is, or was, to be registered.
type entry struct {
	instance string
	path     string

	// The announcer's lock guards these.
	busy    bool // an Announce is under way
	wish    wish
	dirty   bool       // wish or node may have changed since the last look
	reports chan error // of that Announce; capacity 1, the latest wins

	// Only the announcer's goroutine uses these.
	looked    *session.Conn // where the last look was
	audit     time.Time
	armed     *session.Conn // where the node is watched
	barred    int64         // a session whose node we may not remove
	barredAt  int32         // the version of the directory's ACL then
	takeovers []time.Time   // from other processes, in the last minute
	unsure    bool          // a change may be under way whose reply was lost
}

func newAnnouncer(k *session.Session, c config) *announcer {
	return &announcer{
		session:  k,
		parent:   c.parent,
		watch:    c.watch,
		acl:      c.acl,
		identity: newIdentity(),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		entries:  map[string]*entry{},
	}
}

// announce is sd.Backend's Announce.
func (a *announcer) announce(ctx context.Context, instance string, up func()) error {
	e, err := a.begin(instance)
	if err != nil {
		return err
	}
	defer a.end(e)
	if ctx.Err() == nil {
		if err := a.hold(ctx, e, up); err != nil {
			a.want(e, leave)
			return fmt.Errorf("zk: announce %s: %w", e.path, err)
		}
	}
	a.want(e, withdraw)
	timer := time.NewTimer(withdrawTime)
	defer timer.Stop()
	select {
	case err := <-e.reports:
		if err == nil {
			return ctx.Err()
		}
		return &unconfirmedError{e.path, err, ctx.Err()}
	case <-a.session.Closed():
		if !a.session.Close() {
			return &unconfirmedError{e.path, errCloseUnconfirmed, ctx.Err()}
		}
		return ctx.Err()
	case <-timer.C:
		return &unconfirmedError{e.path, a.unanswered(), ctx.Err()}
	}
}

// unanswered is why a request has no reply yet.
func (a *announcer) unanswered() error {
	if c, _ := a.session.Conn(); c != nil {
		return fmt.Errorf("%s: %w", c.Server, errSilent)
	}
	if err := a.session.Err(); err != nil {
		return err
	}
	return errSilent
}

// begin claims the entry for one Announce.
func (a *announcer) begin(instance string) (*entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := a.parent + "/" + instance
	e := a.entries[path]
	if e == nil {
		e = &entry{instance: instance, path: path}
		a.entries[path] = e
	}
	if e.busy {
		return nil, fmt.Errorf("zk: announce %s: %w: by this process", path, sd.ErrConflict)
	}
	e.busy, e.reports = true, make(chan error, 1)
	return e, nil
}

// end gives the entry back.
func (a *announcer) end(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.busy = false
	a.poke() // see drop
}

// drop forgets the entry if nobody wants anything of it and nothing is to be
// remembered about the node.
func (a *announcer) drop(e *entry) {
	remember := e.remember()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !e.busy && e.wish == leave && !remember {
		delete(a.entries, e.path)
	}
}

// want sets the wish for a node. A report about an earlier wish is dropped.
func (a *announcer) want(e *entry, w wish) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.wish, e.dirty = w, true
	select {
	case <-e.reports:
	default:
	}
	a.poke()
}

func (a *announcer) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// hold publishes the node, calls up, and returns nil when ctx is done, and an
// error when the node cannot be vouched for.
func (a *announcer) hold(ctx context.Context, e *entry, up func()) error {
	a.want(e, publish)
	registered := false
	outage := time.NewTimer(waitTimeout)
	defer outage.Stop()
	for {
		l, changed := a.session.Conn()
		switch {
		case l != nil:
			outage.Stop()
		case registered:
			outage.Reset(a.session.Timeout()) // then the session has expired, as far as is known
		default:
			outage.Reset(waitTimeout)
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
		case err := <-e.reports:
			if err != nil {
				return err
			}
			if !registered {
				registered = true
				up()
			}
		}
	}
}

// event takes note of what happened to a node. It does not block.
func (a *announcer) event(l *session.Conn, ev gozk.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entries[ev.Path]; e != nil {
		e.dirty = true
		a.poke()
	}
}

// run compares wishes with nodes until ctx is done.
func (a *announcer) run(ctx context.Context) {
	defer close(a.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		l, changed := a.session.Conn()
		if l != nil && l.Err() == nil {
			timer.Reset(a.lookAll(l))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// lookAll looks at each node that is due, and returns when the next one is.
func (a *announcer) lookAll(l *session.Conn) time.Duration {
	next := auditInterval
	for _, e := range a.all() {
		if l.Err() != nil {
			break // on the next one all are due
		}
		w, due := a.due(e, l)
		if due {
			a.look(l, e, w)
		}
		if w != leave {
			next = min(next, time.Until(e.audit))
		}
		a.drop(e)
	}
	a.herd.count(l, a.parent)
	return max(next, 0)
}

func (a *announcer) all() []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*entry, 0, len(a.entries))
	for _, e := range a.entries {
		list = append(list, e)
	}
	return list
}

// due reports whether e needs a look on l, and for which wish.
func (a *announcer) due(e *entry, l *session.Conn) (wish, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := e.wish != leave && (e.dirty || e.looked != l || !time.Now().Before(e.audit))
	e.dirty = e.dirty && !due
	return e.wish, due
}

// report tells the Announce what became of w, unless it wants something else
// by now, and makes next the wish.
func (a *announcer) report(e *entry, w, next wish, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.wish != w {
		return
	}
	e.wish = next
	select {
	case <-e.reports:
	default:
	}
	e.reports <- err
}

// wanted reports whether w is still the wish for e.
func (a *announcer) wanted(e *entry, w wish) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return e.wish == w
}
