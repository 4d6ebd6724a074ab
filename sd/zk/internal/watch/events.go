package watch

import (
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// watchFired reports whether a one-shot watch on the list of children is among the events.
func (f *follower) watchFired(events []event) bool {
	return slices.ContainsFunc(events, func(e event) bool {
		return e.Path == f.dir.Parent && e.Type != gozk.EventNodeDataChanged
	})
}

// parentDeleted returns an error if events tell that the directory was removed.
func (f *follower) parentDeleted(events []event) error {
	for _, e := range events {
		if e.Path == f.dir.Parent && e.Type == gozk.EventNodeDeleted {
			return errRemoved
		}
	}
	return nil
}

// takeEvents takes in what has come. It reports whether the children must be listed again.
func (f *follower) takeEvents() (again bool, err error) {
	f.changes.running(time.Now())
	events, overflow := f.queue.drain()
	for _, e := range events {
		f.note(e)
	}
	switch {
	case !f.found || overflow:
		return true, nil
	case f.persistent:
		return false, f.applyEvents(events)
	default:
		return f.watchFired(events), f.parentDeleted(events)
	}
}

// applyEvents emits the difference that events make to the set.
//
// ZooKeeper sends the events of one session in the order of its transactions, and the reply to a
// request after the events of all that came before it. The events here are all since the watch was
// armed, which is before the list was read, so some of them are in the list already. Applied in
// their order they end at the truth nevertheless: the last event of a child says whether it exists.
//
// One pair of events is held back: a child whose data was changed and which was deleted then. That
// is the first half of a takeover (see claimAndReplace in package zk), whose Created comes with the
// same transaction, and all of a withdrawal. A round trip tells: its reply comes after that
// Created, if there is one, so that both are in the queue when it is taken in next. Everything else
// is emitted before, so that nothing waits for the withdrawal of another.
func (f *follower) applyEvents(events []event) error {
	if err := f.parentDeleted(events); err != nil {
		return err
	}
	for _, e := range events {
		f.changes.add(f.dir.child(e.Path), e)
	}
	if err := f.emitChange(f.changes.certain(f.set)); err != nil || !f.changes.isHolding() {
		return err
	}
	if _, _, err := f.conn.Exists(f.dir.Parent); err != nil {
		return err
	}
	if err := f.conn.Err(); err != nil {
		return err
	}
	f.changes.resolve()
	f.queue.news.Set()
	return nil
}

// note has read what an event may be about: the attributes of a child that was created, also in the
// place of another, or whose data was changed, and the policy.
func (f *follower) note(e event) {
	switch name := f.dir.child(e.Path); {
	case !f.found:
	case name != "" && f.describes && e.Type != gozk.EventNodeDeleted:
		f.toRead[strings.Clone(name)] = struct{}{}
	case e.Path == f.dir.Parent && e.Type == gozk.EventNodeDataChanged && f.followsPolicy():
		if f.queue.counted().data > f.policy.events { // since it was read
			f.policy.Changed()
		}
	}
}

// tell emits a change of children, or the one of instances that it is, if it is one.
func (f *follower) tell(c sd.Change) {
	if f.instances != nil {
		c = f.instances.apply(c, f.said)
		if !c.Reset && len(c.Up)+len(c.Down)+len(c.Attributes)+len(c.Unread) == 0 {
			return
		}
	}
	f.emit(c)
}

// emitChange emits a difference, if it is one, and makes it to the set. It adds what those who come
// say of themselves, and members that may say something else; departures alone do not wait for
// that.
func (f *follower) emitChange(c sd.Change) error {
	for _, s := range c.Down {
		delete(f.set, s)
		delete(f.said, s)
	}
	for _, s := range c.Up {
		f.set[s] = struct{}{}
	}
	if len(c.Up) == 0 && len(c.Down) > 0 {
		f.tell(c)
		c = sd.Change{}
	}
	if f.describes {
		if err := f.describe(&c, append(f.membersToRead(c.Up), c.Up...)); err != nil {
			return err
		}
	}
	if len(c.Up)+len(c.Down)+len(c.Attributes)+len(c.Unread) > 0 {
		f.tell(c)
	}
	return nil
}
