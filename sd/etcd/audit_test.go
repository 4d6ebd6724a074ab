package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/etcd/internal/cluster"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// openConn opens a backend, and has its connection.
func openConn(t *testing.T, text string) (*Backend, *cluster.Conn) {
	t.Helper()
	target, err := sd.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBackend(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	n, err := b.cluster.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b, n
}

// newFollower is one that has read the directory of a member, and of which no event tells.
func newFollower(t *testing.T, member *etcdtest.Member, changes *[]sd.Change) *follower {
	t.Helper()
	b, n := openConn(t, "etcd://"+member.Addr())
	f := &follower{backend: b, conn: n, emit: func(c sd.Change) { *changes = append(*changes, c) }}
	now, err := f.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.snapshot = now
	f.reset()
	return f
}

// deliver hands an event to a follower late.
func (f *follower) deliver(t *testing.T, kind mvccpb.Event_EventType, name string, revision int64) {
	t.Helper()
	event := &mvccpb.Event{Type: kind, Kv: &mvccpb.KeyValue{
		Key: []byte(f.backend.config.prefix() + name), ModRevision: revision,
	}}
	if err := f.apply(t.Context(), []*mvccpb.Event{event}); err != nil {
		t.Fatal(err)
	}
}

// An event that never comes is found by an audit; one that is late is none that was missed.
func TestAudit(t *testing.T) {
	member := etcdtest.Start(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{member.Addr()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const a, b = "192.0.2.1:80", "192.0.2.2:80"
	put := func(name string) int64 {
		t.Helper()
		done, err := client.Put(ctx, "/go_servers/"+name, "")
		if err != nil {
			t.Fatal(err)
		}
		return done.Header.Revision
	}
	remove := func(name string) int64 {
		t.Helper()
		done, err := client.Delete(ctx, "/go_servers/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return done.Header.Revision
	}
	if _, err := client.Put(ctx, "/go_servers", ""); err != nil {
		t.Fatal(err)
	}
	put(a)
	for name, test := range map[string]struct {
		change func(f *follower) // after the list; the follower hears nothing of its own accord
		late   func(f *follower) // between the audit and its decision
		want   error
	}{
		"nothing": {func(*follower) {}, func(*follower) {}, nil},
		"put missed": {
			func(*follower) { put(b) }, func(*follower) {}, errMissed,
		},
		"delete missed": {
			func(*follower) { remove(a) }, func(*follower) {}, errMissed,
		},
		"put and delete missed": {
			func(*follower) { put(b); remove(a) }, func(*follower) {}, errMissed,
		},
		"put again missed": {
			func(*follower) { remove(a); put(a) }, func(*follower) {}, errMissed,
		},
		"put late": {
			func(f *follower) { put(b) },
			func(f *follower) { f.deliver(t, mvccpb.PUT, b, put(b)) }, nil,
		},
		"deleted since": {
			func(f *follower) { put(b) },
			func(f *follower) {
				f.deliver(t, mvccpb.PUT, b, put(b))
				f.deliver(t, mvccpb.DELETE, b, remove(b))
			}, nil,
		},
		"delete late": {
			func(*follower) { remove(a) },
			func(f *follower) { f.deliver(t, mvccpb.DELETE, a, f.suspect.revision) }, nil,
		},
	} {
		put(a)
		remove(b)
		var changes []sd.Change
		f := newFollower(t, member, &changes)
		counted := int64(0)
		f.backend.countRepair = func() { counted++ }
		test.change(f)
		err := f.audit(ctx)
		if err == nil && f.suspect != nil {
			test.late(f)
			err = f.audit(ctx)
		}
		if !errors.Is(err, test.want) || f.suspect != nil {
			t.Errorf("%s: want %v, have %v (suspicious still: %v)", name, test.want, err, f.suspect != nil)
		}
		if missed := f.backend.repaired.Load(); (missed == 1) != (test.want != nil) || missed != counted {
			t.Errorf("%s: want it counted, have %d, %d", name, missed, counted)
		}
	}
}

// What audits cost is bounded: names are read in every audit of a small directory, and in every
// third of one that is twice as long.
func TestAuditNames(t *testing.T) {
	for _, test := range []struct{ entries, want int }{
		{0, 12}, {auditNames - 1, 12}, {auditNames, 6}, {2 * auditNames, 4}, {100 * auditNames, 0},
	} {
		have := 0
		for n := range 12 {
			if readsNames(n+1, test.entries) {
				have++
			}
		}
		if have != test.want {
			t.Errorf("%d entries: want names read in %d of 12 audits, have %d", test.entries, test.want, have)
		}
	}
}

// What has happened before the list is in it, and is no news when its event comes after it.
func TestEventsBeforeTheList(t *testing.T) {
	const a, b = "192.0.2.1:80", "192.0.2.2:80"
	var changes []sd.Change
	f := &follower{backend: &Backend{}, known: true, emit: func(c sd.Change) { changes = append(changes, c) },
		snapshot: snapshot{10, parent{mod: 1}, map[string]entry{a: {mod: 9}}}}
	f.deliver(t, mvccpb.DELETE, a, 8)
	f.deliver(t, mvccpb.PUT, b, 9)
	f.deliver(t, mvccpb.DELETE, b, 10)
	if len(changes) > 0 {
		t.Errorf("want no change, have %+v", changes)
	}
	f.deliver(t, mvccpb.PUT, b, 11)
	if len(changes) != 1 || len(changes[0].Up) != 1 {
		t.Errorf("want one more, have %+v", changes)
	}
}
