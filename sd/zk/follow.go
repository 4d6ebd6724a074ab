package zk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

const (
	listPause = 100 * time.Millisecond // at least, between the lists for two changes
	listTries = 3                      // while a server answers from an older state
	claimTime = time.Second            // between a claim and the takeover: a round trip, and a commit
)

// A follower follows a directory on one link.
type follower struct {
	*directory
	*session.Conn
	persistent bool
	found      bool // there is a directory
	listed     time.Time
	auditAt    time.Time
	base       mark
	claimed    map[string]bool // children whose data was changed: a takeover may follow
}

// follow arms the watch, lists, and publishes what happens, until the set
// cannot be vouched for. It returns nil if nobody reads any more.
func (d *directory) follow(ctx context.Context, l *session.Conn) error {
	f := &follower{directory: d, Conn: l, claimed: map[string]bool{}}
	f.sleep(ctx, spread(d.size()))
	d.queue.attach(l)
	defer d.queue.attach(nil)
	if err := f.arm(); err != nil {
		return err
	}
	f.scheduleAudit()
	for {
		err := f.list()
		for again := false; err == nil && !again; {
			again, err = f.await(ctx)
		}
		if err != nil {
			return err
		}
		if !f.persistent {
			if f.rest() {
				return nil
			}
			f.sleep(ctx, time.Until(f.listed.Add(listPause)))
		}
	}
}

// arm sets the persistent watch, if the server can be asked for one.
func (f *follower) arm() error {
	distrusted := f.mode == watchAuto && f.mended.Load() >= mostMissed
	f.persistent = f.mode.persistent(f.Conn) && !distrusted
	f.setUsing(f.persistent)
	if !f.persistent {
		return nil
	}
	return f.AddWatch(f.parent, session.Tree)
}

// list reads the children and publishes them, if there is a directory.
func (f *follower) list() error {
	for range listTries {
		least := f.queue.counted()
		names, stat, err := f.children()
		switch {
		case errors.Is(err, gozk.ErrNoNode) && f.found:
			return errRemoved
		case errors.Is(err, gozk.ErrNoNode):
			if there, err := f.awaitParent(); err != nil || !there {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := f.Err(); err != nil {
			return err
		}
		f.lists.Add(1)
		if f.admit(stat) {
			f.found, f.listed = true, time.Now()
			f.scheduleAudit()
			f.base = mark{*stat, least, f.queue.counted()}
			f.publish(sd.Change{Reset: true, Up: names})
			return nil
		}
		if _, err := f.Sync(f.parent); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", f.Server, errOutdated)
}

// children lists, and watches for the next change where nothing else does.
func (f *follower) children() ([]string, *gozk.Stat, error) {
	if f.persistent {
		return f.Children(f.parent)
	}
	return f.ChildrenOnce(f.parent)
}

// awaitParent watches for the creation of the parent where nothing else does.
// It reports whether it is there by now: then no event will come.
func (f *follower) awaitParent() (there bool, err error) {
	if f.persistent {
		return false, nil
	}
	there, _, err = f.ExistsOnce(f.parent)
	return there, err
}

// await waits until something happened to the directory, and takes it in. It
// reports whether the children must be listed again.
func (f *follower) await(ctx context.Context) (again bool, err error) {
	audit := time.NewTimer(time.Until(f.auditAt))
	defer audit.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-f.Down():
		return false, session.ErrDisconnected
	case <-audit.C:
		f.scheduleAudit()
		return f.audit()
	case <-f.queue.news:
	}
	events, overflow := f.queue.drain()
	switch {
	case !f.found || overflow:
		return true, nil
	case f.persistent:
		return f.takeIn(events)
	default:
		return f.fired(events), f.gone(events)
	}
}

// fired reports whether a one-shot watch on the directory is among the events.
func (f *follower) fired(events []gozk.Event) bool {
	return slices.ContainsFunc(events, func(e gozk.Event) bool { return e.Path == f.parent })
}

// gone returns an error if events tell that the directory was removed.
func (f *follower) gone(events []gozk.Event) error {
	for _, e := range events {
		if e.Path == f.parent && e.Type == gozk.EventNodeDeleted {
			return errRemoved
		}
	}
	return nil
}

// takeIn publishes the difference that events make. They are replayed over the
// list: what happened before it is in it already, so that replaying every event
// since the watch was armed ends at the truth. It reports whether the children
// must be listed again.
func (f *follower) takeIn(events []gozk.Event) (again bool, err error) {
	present := map[string]bool{} // what the events leave of each child
	for overflow := false; ; {
		if err := f.gone(events); err != nil || overflow {
			return overflow, err
		}
		f.replay(events, present)
		doubtful := f.settle(present)
		if len(doubtful) == 0 {
			return false, nil
		}
		// The reply comes after the Created of each takeover among them.
		if _, _, err := f.Exists(f.parent); err != nil {
			return false, err
		}
		if err := f.Err(); err != nil {
			return false, err
		}
		for _, name := range doubtful {
			delete(f.claimed, name)
		}
		events, overflow = f.queue.drain()
	}
}

// replay notes in present which children events leave, and which are gone.
func (f *follower) replay(events []gozk.Event, present map[string]bool) {
	for _, e := range events {
		name := strings.Clone(f.queue.child(e.Path))
		switch {
		case name == "":
		case e.Type == gozk.EventNodeCreated:
			present[name] = true
			delete(f.claimed, name)
		case e.Type == gozk.EventNodeDeleted:
			present[name] = false
			if time.Since(f.listed) < claimTime { // its claim may be older than the list
				f.claimed[name] = true
			}
		case e.Type == gozk.EventNodeDataChanged:
			f.claimed[name] = true
		}
	}
}

// settle takes out of present, and publishes, what is certain. It returns the
// rest: children that were deleted after their data was changed, which is the
// first half of a takeover (see claim), whose other half may not be here yet.
func (f *follower) settle(present map[string]bool) (doubtful []string) {
	var c sd.Change
	for name, is := range present {
		_, was := f.set[name] // only this goroutine changes the set
		switch {
		case !is && f.claimed[name]:
			doubtful = append(doubtful, name)
			continue
		case is && !was:
			c.Up = append(c.Up, name)
		case was && !is:
			c.Down = append(c.Down, name)
		}
		delete(present, name)
	}
	if len(c.Up)+len(c.Down) > 0 {
		f.publish(c)
	}
	return doubtful
}

// sleep returns after t, or when there is no point in waiting.
func (f *follower) sleep(ctx context.Context, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-f.Down():
	case <-timer.C:
	}
}
