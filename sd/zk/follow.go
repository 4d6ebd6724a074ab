package zk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

const (
	auditEvery = 30 * time.Second       // ± 20 %
	listPause  = 100 * time.Millisecond // at least, between the lists for two changes
	largeList  = 1000                   // names; to list more again is spread out in time
	spreadEach = 100 * time.Microsecond // for each name of a large list
	mostSpread = 5 * time.Second
	listTries  = 3 // while a server answers from an older state
)

// A follower follows a directory on one link.
type follower struct {
	*directory
	*link
	persistent bool
	exists     bool // there is a directory
	listed     time.Time
	base       mark
	claimed    map[string]bool // children whose data was changed: a takeover may follow
}

// A mark is a state of the parent, and between which two counts of events it
// was read.
type mark struct {
	stat        gozk.Stat
	least, most int64
}

// follow arms the watch, lists, and publishes what happens, until the set
// cannot be vouched for.
func (d *directory) follow(ctx context.Context, l *link) error {
	f := &follower{directory: d, link: l, claimed: map[string]bool{}}
	if n := d.size(); n > largeList {
		f.sleep(ctx, rand.N(min(time.Duration(n)*spreadEach, mostSpread)))
	}
	d.queue.attach(l)
	defer d.queue.attach(nil)
	if err := f.arm(); err != nil {
		return err
	}
	for {
		err := f.list()
		for again := false; err == nil && !again; {
			again, err = f.await(ctx)
		}
		if err != nil {
			return err
		}
		if !f.persistent {
			if f.idle() {
				return errIdle
			}
			f.sleep(ctx, time.Until(f.listed.Add(listPause)))
		}
	}
}

// arm sets the persistent watch, if the server can be asked for one.
func (f *follower) arm() error {
	f.persistent = f.keeper.persistent(f.server)
	f.setUsing(f.persistent)
	if !f.persistent {
		return nil
	}
	err := addWatch(f.Conn, watchNodes, f.parent)
	if err != nil && f.keeper.noteAge(f.link) {
		return fmt.Errorf("%s is older than ZooKeeper 3.6 and has no persistent watch: %w", f.server, err)
	}
	return err
}

// list reads the children and publishes them, if there is a directory.
func (f *follower) list() error {
	for range listTries {
		least := f.queue.counted()
		names, stat, err := f.children()
		switch {
		case errors.Is(err, gozk.ErrNoNode) && f.exists:
			return errRemoved
		case errors.Is(err, gozk.ErrNoNode):
			return f.awaitParent()
		case err != nil:
			return err
		}
		f.lists.Add(1)
		if f.admit(stat) {
			f.exists, f.listed = true, time.Now()
			f.base = mark{*stat, least, f.queue.counted()}
			f.publish(sd.Change{Reset: true, Up: names})
			return nil
		}
		if _, err := f.Sync(f.parent); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", f.server, errOutdated)
}

// children lists, and watches for the next change where nothing else does.
func (f *follower) children() ([]string, *gozk.Stat, error) {
	if f.persistent {
		return f.Children(f.parent)
	}
	return f.Children(watchOnce + f.parent)
}

// awaitParent watches for the creation of the parent where nothing else does.
func (f *follower) awaitParent() error {
	if f.persistent {
		return nil
	}
	_, _, err := f.Exists(watchOnce + f.parent)
	return err
}

// await waits until something happened to the directory, and takes it in. It
// reports whether the children must be listed again.
func (f *follower) await(ctx context.Context) (again bool, err error) {
	audit := time.NewTimer(auditEvery*4/5 + rand.N(auditEvery*2/5))
	defer audit.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-f.down:
		return false, errDisconnected
	case <-audit.C:
		return f.audit()
	case <-f.queue.news:
	}
	events, overflow := f.queue.drain()
	switch {
	case !f.exists || overflow:
		return true, nil
	case f.persistent:
		return f.takeIn(events)
	default:
		return slices.ContainsFunc(events, func(e gozk.Event) bool { return e.Path == f.parent }), f.gone(events)
	}
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
		doubt, any := f.doubtful(present)
		if !any {
			break
		}
		// The reply comes after the Created of a takeover, if there is one.
		if _, _, err := f.Exists(f.parent + "/" + doubt); err != nil {
			return false, err
		}
		delete(f.claimed, doubt)
		events, overflow = f.queue.drain()
	}
	var c sd.Change
	for name, is := range present {
		switch _, was := f.set[name]; { // only this goroutine changes the set
		case is && !was:
			c.Up = append(c.Up, name)
		case was && !is:
			c.Down = append(c.Down, name)
		}
	}
	if len(c.Up)+len(c.Down) > 0 {
		f.publish(c)
	}
	return false, nil
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
		case e.Type == gozk.EventNodeDataChanged:
			f.claimed[name] = true
		}
	}
}

// doubtful returns a child that was deleted after its data was changed: the
// first half of a takeover (see claim), whose other half may not be here yet.
func (f *follower) doubtful(present map[string]bool) (name string, any bool) {
	for name, is := range present {
		if !is && f.claimed[name] {
			return name, true
		}
	}
	return "", false
}

// audit compares the parent's Cversion, which rises by one with every child
// created or deleted, with the events counted since the list. It fails if an
// event was missed, so that everything is armed and read again:
// https://github.com/prometheus/prometheus/issues/1895 is what happens without.
// Where there was no directory it reports whether there is one.
func (f *follower) audit() (found bool, err error) {
	least := f.queue.counted()
	there, stat, err := f.Exists(f.parent)
	switch {
	case err != nil || !f.exists:
		return there, err
	case !there:
		return false, errRemoved
	}
	now := mark{*stat, least, f.queue.counted()}
	changes := int64(stat.Cversion - f.base.stat.Cversion)
	fits := changes == 0
	if f.persistent {
		fits = now.least-f.base.most <= changes && changes <= now.most-f.base.least
	}
	if !fits || stat.Czxid != f.base.stat.Czxid {
		f.mended.Add(1)
		return false, errMissed
	}
	f.base = now
	return false, nil
}

// admit reports whether stat is not older than what was seen before: a server
// may lag behind the one that was asked before it.
func (d *directory) admit(stat *gozk.Stat) bool {
	era := d.keeper.era()
	if era == d.era && stat.Czxid == d.newest.Czxid && stat.Pzxid < d.newest.Pzxid {
		return false
	}
	d.era, d.newest = era, *stat
	return true
}

// sleep returns after t, or when there is no point in waiting.
func (f *follower) sleep(ctx context.Context, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-f.down:
	case <-timer.C:
	}
}
