package etcd

import (
	"context"
	"strings"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// reset emits the whole set, with what was asked for.
func (f *follower) reset() {
	f.known = true
	c := sd.Change{
		Reset:   true,
		Up:      make([]string, 0, len(f.entries)),
		Policy:  f.policy(),
		Ignored: f.ignored(),
	}
	for name, e := range f.entries {
		c.Up = append(c.Up, name)
		describe(&c, name, e, entry{})
	}
	f.emit(c)
}

// policy is the present one, if it was asked for.
func (f *follower) policy() *sd.PolicyText {
	switch {
	case !f.want.Policy:
		return nil
	case f.backend.config.noPolicy:
		return &sd.PolicyText{Version: f.parent.mod}
	}
	return &sd.PolicyText{Document: f.parent.document, Version: f.parent.mod}
}

// ignored reports whether there is a policy that was not asked for.
func (f *follower) ignored() bool {
	return !f.want.Policy && !f.backend.config.noPolicy && f.parent.document != ""
}

// describe adds to c what e says of itself, if that is something else than before.
func describe(c *sd.Change, name string, e, before entry) {
	if !e.attributes().Equal(before.attributes()) || before.unread && !e.unread {
		if c.Attributes == nil {
			c.Attributes = map[string]policy.Attributes{}
		}
		c.Attributes[name] = e.attributes()
	}
	if e.unread {
		c.Unread = append(c.Unread, name)
	}
}

// A past is what names were before some events, of those that the events are about.
type past struct {
	entries  map[string]entry
	absent   map[string]bool // those that were not there
	withdrew map[string]bool // those that were about to leave when they went
	parent   parent
}

// apply takes in events, and emits what is different after them. What was put after it was deleted
// is no difference.
func (f *follower) apply(ctx context.Context, events []*mvccpb.Event) error {
	before := past{map[string]entry{}, map[string]bool{}, map[string]bool{}, f.parent}
	for _, e := range events {
		if e.Kv.ModRevision <= f.revision {
			continue // the list was later
		}
		name, mine := strings.CutPrefix(string(e.Kv.Key), f.backend.config.prefix())
		if !mine {
			f.applyParent(e)
			continue
		}
		old, was := f.entries[name]
		if _, again := before.entries[name]; !again {
			before.entries[name], before.absent[name] = old, !was
		}
		if e.Type == mvccpb.PUT {
			now := f.entryOf(e.Kv)
			switch {
			case was && now.leaving: // earlier versions say nothing else in their last value
				now.says, now.unread = old.says, old.unread
			case was && len(e.Kv.Value) > record.MaxSize: // of which nothing was read
				now.says = old.says
			}
			f.entries[name] = now
			continue
		}
		delete(f.entries, name)
		before.withdrew[name] = old.leaving
		if f.suspect != nil {
			f.removed[name] = e.Kv.ModRevision
		}
	}
	if len(f.entries) == 0 && len(before.entries) > 0 && f.parent.mod != 0 {
		if err := f.readParent(ctx); err != nil {
			return err
		}
	}
	return f.tell(ctx, before)
}

// readParent finds whether the directory's own key is gone as well, when the last entry is: both may
// have been deleted at once, and their watches tell of that in any order.
func (f *follower) readParent(ctx context.Context) error {
	now, err := f.get(ctx, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err == nil && len(now.Responses[0].GetResponseRange().Kvs) == 0 {
		f.parent = parent{}
	}
	return err
}

func (f *follower) applyParent(e *mvccpb.Event) {
	f.parent = parent{}
	if e.Type == mvccpb.PUT {
		f.parent = parentOf(e.Kv)
	}
	if f.suspect != nil {
		f.suspect.parent = f.parent // as it is since
	}
}

// tell emits the difference to before. An entry that has gone without a word was lost. A directory
// that appears is read, since the watches tell of it one after the other.
func (f *follower) tell(ctx context.Context, before past) error {
	switch {
	case !f.exists() && f.known:
		return errRemoved
	case !f.exists():
		return nil
	case !f.known:
		return f.begin(ctx)
	}
	c := sd.Change{Ignored: f.ignored()}
	for name, old := range before.entries {
		e, is := f.entries[name]
		switch was := !before.absent[name]; {
		case is && !was:
			c.Up = append(c.Up, name)
		case was && !is:
			c.Down = append(c.Down, name)
			if before.withdrew[name] {
				c.Withdrew = append(c.Withdrew, name)
			}
		}
		if is {
			describe(&c, name, e, old)
		}
	}
	if f.want.Policy && !f.backend.config.noPolicy && f.parent != before.parent {
		c.Policy = f.policy()
	}
	if len(c.Up)+len(c.Down)+len(c.Attributes)+len(c.Unread) > 0 || c.Policy != nil {
		f.emit(c)
	}
	return nil
}
