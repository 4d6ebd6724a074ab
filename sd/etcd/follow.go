package etcd

import (
	"context"
	"errors"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	listTimeout = 10 * time.Second // of a list as a whole, however long it is
	minAsk      = 500 * time.Millisecond
	maxAsk      = 5 * time.Second // between two signs of life of a stream
)

// A follower is one Watch on one connection. Its goroutine is the caller's.
type follower struct {
	backend *Backend
	conn    *cluster.Conn
	want    sd.Want
	emit    func(sd.Change)

	known    bool // a set was emitted
	snapshot      // what is known of the directory

	audits  int
	suspect *snapshot        // what an audit found different; nil: nothing
	removed map[string]int64 // and the revisions of what has gone since
}

// A snapshot is the directory at one revision.
type snapshot struct {
	revision int64
	parent   parent
	entries  map[string]entry
}

// exists reports whether there is a directory: its own key, or an entry.
func (s *snapshot) exists() bool { return s.parent.mod != 0 || len(s.entries) > 0 }

// A parent is what is known of the directory's own key.
type parent struct {
	mod      int64  // revision of its last change; 0: it does not exist
	document string // the policy
}

func parentOf(kv *mvccpb.KeyValue) parent { return parent{kv.ModRevision, string(kv.Value)} }

// An entry is what is known of an entry's key.
type entry struct {
	mod     int64              // revision of its last change
	leaving bool               // its owner is about to remove it
	unread  bool               // an attribute could not be read
	says    *policy.Attributes // nil: nothing, or it is not wanted
}

// entryOf reads a key with its value.
func (f *follower) entryOf(kv *mvccpb.KeyValue) entry {
	r, err := record.Parse(kv.Value)
	e := entry{mod: kv.ModRevision, leaving: r.Leaving}
	if f.want.Attributes {
		e.unread = err != nil
		if !r.Attributes.Equal(policy.Attributes{}) {
			e.says = &r.Attributes
		}
	}
	return e
}

func (e entry) attributes() policy.Attributes {
	if e.says == nil {
		return policy.Attributes{}
	}
	return *e.says
}

// run follows the directory until ctx is done, the connection ends, or it cannot vouch for the set.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if !errors.Is(err, cluster.ErrCompacted) { // whose history is read again as a whole
			return err
		}
	}
}

// follow watches, reads the set, and goes on from there: what the watch tells of before is in the set.
func (f *follower) follow(ctx context.Context) error {
	s, err := f.watch(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := f.begin(ctx); err != nil {
		return err
	}
	return f.read(ctx, s)
}

// begin reads the directory, and tells of it if there is one.
func (f *follower) begin(ctx context.Context) error {
	now, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.snapshot, f.suspect = now, nil
	f.backend.missing.Store(!f.exists())
	switch {
	case f.exists():
		f.reset()
	case f.known:
		return errRemoved
	}
	return nil
}

// watch returns the stream of the directory, armed. Of a token that is old etcd 3.4 says to a watch
// that it is denied. A read tells the one from the other, and renews the token.
func (f *follower) watch(ctx context.Context) (*cluster.Stream, error) {
	s, err := f.arm(ctx)
	if !errors.Is(err, sd.ErrDenied) && !cluster.IsAuth(err) {
		return s, err
	}
	if _, err := f.list(ctx); err != nil {
		return nil, err
	}
	return f.arm(ctx)
}

func (f *follower) arm(ctx context.Context) (*cluster.Stream, error) {
	c := &f.backend.config
	s, err := f.conn.Watch(ctx, 0,
		cluster.Span{Key: c.Key}, cluster.Span{Key: c.prefix(), Prefix: true})
	if err != nil {
		return nil, err
	}
	if err := s.Arm(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// read takes in what a stream tells, wants signs of life of it, and audits it. None is taken while
// an audit reads, so that they are wanted anew after it.
func (f *follower) read(ctx context.Context, s *cluster.Stream) error {
	askEvery := min(max(f.backend.config.TTL/3, minAsk), maxAsk)
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	audit := time.NewTimer(f.auditPause())
	defer audit.Stop()
	asked := time.Time{} // when a sign of life was wanted that has not come
	for {
		select {
		case r, open := <-s.Responses:
			if !open {
				return s.Err(ctx)
			}
			asked = time.Time{}
			if err := cluster.Check(r); err != nil {
				return err
			}
			if err := f.apply(ctx, r.Events); err != nil {
				return err
			}
		case <-ask.C:
			if !asked.IsZero() && time.Since(asked) > f.backend.config.Patience() {
				return f.conn.Silent()
			}
			if asked.IsZero() {
				asked = time.Now()
			}
			if err := s.Ask(ctx); err != nil {
				return err
			}
		case <-audit.C:
			if err := f.audit(ctx); err != nil {
				return err
			}
			asked = time.Time{}
			ask.Reset(askEvery)
			audit.Reset(f.auditPause())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list reads the directory at one revision, as the majority has it; of the entries the keys alone,
// unless their attributes are wanted.
func (f *follower) list(ctx context.Context) (snapshot, error) {
	f.backend.lists.Add(1)
	how := []clientv3.OpOption{clientv3.WithPrefix()}
	if !f.want.Attributes {
		how = append(how, clientv3.WithKeysOnly())
	}
	got, err := f.get(ctx, how...)
	if err != nil {
		return snapshot{}, err
	}
	entries := got.Responses[1].GetResponseRange().Kvs
	s := snapshot{revision: got.Header.Revision, entries: make(map[string]entry, len(entries))}
	for _, kv := range got.Responses[0].GetResponseRange().Kvs {
		s.parent = parentOf(kv)
	}
	for _, kv := range entries {
		s.entries[strings.TrimPrefix(string(kv.Key), f.backend.config.prefix())] = f.entryOf(kv)
	}
	return s, nil
}

// get reads the directory's own key, and the entries as asked for, in one transaction.
func (f *follower) get(
	ctx context.Context, how ...clientv3.OpOption,
) (*clientv3.TxnResponse, error) {
	c := &f.backend.config
	bounded, cancel := f.conn.Bounded(ctx, listTimeout)
	defer cancel()
	got, err := f.conn.Txn(bounded).
		Then(clientv3.OpGet(c.Key), clientv3.OpGet(c.prefix(), how...)).
		Commit()
	return got, f.conn.Judge(ctx, err)
}
