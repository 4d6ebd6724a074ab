package etcd

import (
	"context"
	"errors"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	listTimeout = 10 * time.Second // of a list as a whole, however long it is
	minAsk      = 500 * time.Millisecond
	maxAsk      = 5 * time.Second // between two signs of life of a stream
	auditEvery  = 30 * time.Second
	auditGrace  = 2 * time.Second // for events on their way, before they count as missed
	// auditNames bounds what audits cost: the names of so many entries are read in every audit,
	// those of n times as many in every nth, and only their number in between.
	auditNames = 1000
)

// A follower is one Watch on one connection. Its goroutine is the caller's.
type follower struct {
	backend *Backend
	conn    *conn
	emit    func(sd.Change)

	known   bool // a set was emitted
	parent  bool // the directory's own key exists
	entries map[string]entry

	audits  int
	suspect *snapshot        // what an audit found different; nil: nothing
	removed map[string]int64 // and the revisions of what has gone since
}

// An entry is what is known of a key.
type entry struct {
	mod     int64 // revision of its last change
	leaving bool  // its owner is about to remove it
}

// A snapshot is the directory at one revision.
type snapshot struct {
	revision int64
	parent   bool
	entries  map[string]entry
}

// run follows the directory until ctx is done, the connection ends, or it cannot vouch for the set.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if !errors.Is(err, errCompacted) { // whose history is read again as a whole
			return err
		}
	}
}

// follow reads the set and watches from there on. The revision makes the two one: no change falls in
// between.
func (f *follower) follow(ctx context.Context) error {
	now, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.parent, f.entries, f.suspect = now.parent, now.entries, nil
	switch {
	case f.exists():
		f.reset()
	case f.known:
		return errRemoved
	}
	c := &f.backend.config
	s, err := newStream(ctx, f.conn, now.revision+1, span{key: c.parent}, span{key: c.prefix(), prefix: true})
	if err != nil {
		return f.conn.judge(ctx, err)
	}
	defer s.close()
	return f.read(ctx, s)
}

// exists reports whether there is a directory: its own key, or an entry.
func (f *follower) exists() bool { return f.parent || len(f.entries) > 0 }

// reset emits the whole set.
func (f *follower) reset() {
	f.known = true
	c := sd.Change{Reset: true, Up: make([]string, 0, len(f.entries))}
	for name := range f.entries {
		c.Up = append(c.Up, name)
	}
	f.emit(c)
}

// read takes in what a stream tells, wants signs of life of it, and audits it.
func (f *follower) read(ctx context.Context, s *stream) error {
	ask := time.NewTicker(min(max(f.backend.config.ttl/3, minAsk), maxAsk))
	defer ask.Stop()
	audit := time.NewTimer(f.auditPause())
	defer audit.Stop()
	asked := time.Time{} // when a sign of life was wanted that has not come
	for {
		select {
		case r, open := <-s.responses:
			if !open {
				return f.conn.judge(ctx, s.err)
			}
			asked = time.Time{}
			if err := check(r); err != nil {
				return err
			}
			if err := f.apply(r.Events); err != nil {
				return err
			}
		case now := <-ask.C:
			if !asked.IsZero() && now.Sub(asked) > f.backend.config.patience() {
				f.conn.end(f.conn.because(errSilent))
				return context.Cause(f.conn.ctx)
			}
			if asked.IsZero() {
				asked = now
			}
			if err := s.ask(); err != nil {
				return f.conn.judge(ctx, err)
			}
		case <-audit.C:
			if err := f.audit(ctx); err != nil {
				return err
			}
			audit.Reset(f.auditPause())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// apply takes in events, and emits what is different after them. What was put after it was deleted
// is no difference.
func (f *follower) apply(events []*mvccpb.Event) error {
	before := map[string]bool{} // whether a name that the events are about was there
	withdrew := map[string]bool{}
	for _, e := range events {
		name, mine := strings.CutPrefix(string(e.Kv.Key), f.backend.config.prefix())
		if !mine {
			f.parent = e.Type == mvccpb.PUT
			if f.suspect != nil {
				f.suspect.parent = f.parent // as it is since
			}
			continue
		}
		old, was := f.entries[name]
		if _, again := before[name]; !again {
			before[name] = was
		}
		if e.Type == mvccpb.PUT {
			r, _ := record.Parse(e.Kv.Value) // attributes that are wrong hide nothing
			f.entries[name] = entry{e.Kv.ModRevision, r.Leaving}
			continue
		}
		delete(f.entries, name)
		withdrew[name] = old.leaving
		if f.suspect != nil {
			f.removed[name] = e.Kv.ModRevision
		}
	}
	return f.tell(before, withdrew)
}

// tell emits the difference to before. An entry that has gone without a word was lost.
func (f *follower) tell(before, withdrew map[string]bool) error {
	if !f.exists() {
		if f.known {
			return errRemoved
		}
		return nil
	}
	if !f.known {
		f.reset()
		return nil
	}
	var c sd.Change
	for name, was := range before {
		_, is := f.entries[name]
		switch {
		case is && !was:
			c.Up = append(c.Up, name)
		case was && !is:
			c.Down = append(c.Down, name)
			if withdrew[name] {
				c.Withdrew = append(c.Withdrew, name)
			}
		}
	}
	if len(c.Up)+len(c.Down) > 0 {
		f.emit(c)
	}
	return nil
}

// list reads the directory at one revision, as the majority has it; of the entries the keys alone.
func (f *follower) list(ctx context.Context) (snapshot, error) {
	f.backend.lists.Add(1)
	got, err := f.get(ctx, clientv3.WithKeysOnly())
	if err != nil {
		return snapshot{}, err
	}
	entries := got.Responses[1].GetResponseRange()
	s := snapshot{
		revision: got.Header.Revision,
		parent:   got.Responses[0].GetResponseRange().Count > 0,
		entries:  make(map[string]entry, len(entries.Kvs)),
	}
	for _, kv := range entries.Kvs {
		s.entries[strings.TrimPrefix(string(kv.Key), f.backend.config.prefix())] = entry{mod: kv.ModRevision}
	}
	return s, nil
}

// get reads the directory's own key and the entries in one transaction.
func (f *follower) get(ctx context.Context, how clientv3.OpOption) (*clientv3.TxnResponse, error) {
	c := &f.backend.config
	bounded, cancel := f.conn.bounded(ctx, listTimeout)
	defer cancel()
	got, err := f.conn.Txn(bounded).Then(
		clientv3.OpGet(c.parent, clientv3.WithCountOnly()),
		clientv3.OpGet(c.prefix(), clientv3.WithPrefix(), how),
	).Commit()
	return got, f.conn.judge(ctx, err)
}
