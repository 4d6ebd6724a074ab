package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/internal/herd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

const (
	listInterval = 100 * time.Millisecond // at least, between the lists for two changes
	maxLists     = 3                      // in a row, while a server answers from an older state
)

// A follower follows a directory on one Conn, for one Watch and in its goroutine: it lists, and
// then turns events into changes. It ends when the set cannot be vouched for.
type follower struct {
	dir        *Directory
	conn       *session.Conn
	queue      *queue
	want       sd.Want
	emit       func(sd.Change)
	broken     <-chan struct{} // see Directory.arm
	persistent bool
	found      bool // there is a directory
	listed     time.Time
	set        map[string]struct{}
	changes    changes
	auditAt    time.Time
	base       baseline
	policy     PolicySchedule
	describes  bool      // the statements of members are read
	instances  *grouping // for which the children stand in another layout; nil: for themselves
	statements
}

func (d *Directory) newFollower(
	c *session.Conn, want sd.Want, emit func(sd.Change),
) *follower {
	f := &follower{dir: d, conn: c, want: want, emit: emit, changes: newChanges()}
	f.describes = want.Attributes || d.Layout != nil
	if d.Layout != nil {
		f.instances = newGrouping(want.Attributes)
	}
	return f
}

// run follows until ctx is done, or the set cannot be vouched for. The watch is armed before the
// list, so that no change falls between them.
func (f *follower) run(ctx context.Context) error {
	f.sleep(ctx, herd.Jitter(f.dir.lastSize()))
	f.queue = f.dir.subscribe(f.conn)
	defer f.dir.unsubscribe(f.queue)
	broken, err := f.dir.arm(ctx, f.conn)
	if err != nil {
		return err
	}
	f.broken, f.persistent = broken, broken != nil
	f.scheduleAudit()
	var clock <-chan time.Time
	if f.persistent {
		ticker := time.NewTicker(clockInterval)
		defer ticker.Stop()
		clock = ticker.C
	}
	for {
		err := f.list(ctx)
		for again := false; err == nil && !again; {
			again, err = f.await(ctx, clock)
		}
		if err != nil {
			return err
		}
		if !f.persistent {
			f.sleep(ctx, time.Until(f.listed.Add(listInterval)))
		}
	}
}

// list reads the children and emits them, if there is a directory.
func (f *follower) list(ctx context.Context) error {
	for range maxLists {
		counts := f.queue.counted()
		base := baseline{lo: counts.children, data: counts.data}
		names, stat, err := f.children()
		switch {
		case errors.Is(err, gozk.ErrNoNode) && f.found:
			return errRemoved
		case errors.Is(err, gozk.ErrNoNode):
			exists, err := f.awaitParent()
			if err == nil && !exists {
				f.dir.missing.Store(&f.conn.Server)
			}
			if err != nil || !exists {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := f.conn.Err(); err != nil {
			return err
		}
		f.dir.lists.Add(1)
		if f.dir.admit(stat, len(names)) {
			counts = f.queue.counted()
			base.stat, base.hi = *stat, counts.children
			return f.begin(ctx, names, base, counts.events)
		}
		if _, err := f.conn.Sync(f.dir.Parent); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", f.conn.Server, errOutdated)
}

// begin emits a list. It is passed on as it came, and the set is made after that: walking the names
// in another order than memory's takes twice as long.
func (f *follower) begin(
	ctx context.Context, names []string, base baseline, last int64,
) error {
	f.dir.missing.Store(nil)
	rise := base.stat.Cversion - f.base.stat.Cversion
	if base.stat.Czxid != f.base.stat.Czxid { // another directory, of which nothing is known
		f.said, f.policy = nil, PolicySchedule{}
	}
	f.found, f.listed, f.base = true, time.Now(), base
	f.changes.listed(f.listed, last)
	c := sd.Change{Reset: true, Up: names}
	if f.describes {
		if err := f.describeList(&c, rise); err != nil {
			return err
		}
	}
	if err := f.addPolicy(ctx, &c, base); err != nil {
		return err
	}
	f.tell(c)
	f.set = make(map[string]struct{}, len(names))
	for _, s := range names {
		f.set[s] = struct{}{}
	}
	return nil
}

// children lists, and watches for the next change where nothing else does.
func (f *follower) children() ([]string, *gozk.Stat, error) {
	if f.persistent {
		return f.conn.Children(f.dir.Parent)
	}
	return f.conn.ChildrenOnce(f.dir.Parent)
}

// awaitParent watches for the creation of the parent where nothing else does. It reports whether it
// exists by now: then no event will come.
func (f *follower) awaitParent() (exists bool, err error) {
	if f.persistent {
		return false, nil
	}
	exists, _, err = f.conn.ExistsOnce(f.dir.Parent)
	return exists, err
}

// await waits until something happened, and takes it in. It reports whether the children must be
// listed again.
func (f *follower) await(ctx context.Context, clock <-chan time.Time) (again bool, err error) {
	audit := time.NewTimer(time.Until(f.auditAt))
	defer audit.Stop()
	var due <-chan time.Time
	if !f.policy.due.IsZero() {
		timer := time.NewTimer(time.Until(f.policy.due))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-f.conn.Down():
		return false, session.ErrDisconnected
	case <-f.broken:
		return false, errMissed
	case <-clock:
		f.changes.running(time.Now())
		return false, nil
	case <-audit.C:
		f.scheduleAudit()
		return f.audit()
	case <-due:
		return false, f.tellPolicy()
	case <-f.queue.news:
		return f.takeEvents()
	}
}

// sleep returns after t, or when there is no point in waiting.
func (f *follower) sleep(ctx context.Context, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-f.conn.Down():
	case <-timer.C:
	}
}
