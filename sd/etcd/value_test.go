package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/zktest"
	kitlog "github.com/go-kit/log"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leavingWithout is the last value of an entry as earlier versions of this program write it:
// without attributes.
func leavingWithout(t testing.TB, value string) string {
	t.Helper()
	r, err := record.Parse([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	r.Attributes, r.Leaving = policy.Attributes{Since: r.Attributes.Since}, true
	return string(r.Encode())
}

// What a connection that broke has not written, the next one writes.
func TestValueIsMendedOverTheNextConnection(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	for name, test := range map[string]struct {
		// spoil makes the value another one than the entry is to have, which want is in.
		spoil func(t *testing.T, r *sd.Registrar, key, value string, lease clientv3.LeaseID)
		want  string
	}{
		"attributes": {
			func(t *testing.T, r *sd.Registrar, _, _ string, _ clientv3.LeaseID) {
				if err := r.SetAttributes(policy.Attributes{Zone: "eu-1b"}); err != nil {
					t.Fatal(err)
				}
				<-time.After(300 * time.Millisecond) // they are on their way
			},
			`"zone":"eu-1b"`,
		},
		"a withdrawal that was lifted": {
			func(t *testing.T, _ *sd.Registrar, key, value string, lease clientv3.LeaseID) {
				put(t, client, key, leavingWithout(t, value), clientv3.WithLease(lease))
			},
			`"zone":"eu-1a"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := zktest.NewProxy(t, member.Addr())
			b := open(t, "etcd://"+proxy.Addr()+"?ttl=10s")
			r := registerIn(t, b, alice, "eu-1a")
			await(t, phase(r, sd.Registered))
			value, lease := entry(t, client, alice)
			dials := b.Stats().Dials
			proxy.Stall()
			test.spoil(t, r, "/go_servers/"+alice, value, lease)
			proxy.Reset()
			proxy.Heal()
			await(t, func() error {
				if s := b.Stats(); s.Dials == dials || s.Server == "" {
					return fmt.Errorf("want another connection, have %+v", s)
				}
				return valueHas(t, client, alice, test.want)
			})
			now, its := entry(t, client, alice)
			if strings.Contains(now, `"leaving"`) || its != lease {
				t.Errorf("want an entry of lease %x that stays, have %x: %s", lease, its, now)
			}
			if err := phase(r, sd.Registered)(); err != nil {
				t.Error(err)
			}
			r.Deregister()
		})
	}
}

// valueHas returns an error unless part is in the value of an entry.
func valueHas(t testing.TB, client *clientv3.Client, instance, part string) error {
	t.Helper()
	if value, _ := entry(t, client, instance); !strings.Contains(value, part) {
		return fmt.Errorf("want %s, have %q", part, value)
	}
	return nil
}

// Who leaves has the attributes that it had, whatever its last value says of them: otherwise it
// would be undrained, or be of another share, for its last moment.
func TestLeavingKeepsAttributes(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	put(t, client, "/go_servers", "")
	b := open(t, "etcd://"+member.Addr())
	next, stop := watchAttributes(t, b)
	next() // before anybody comes
	withdrawn := func(name string) {
		t.Helper()
		for {
			c := next()
			if a, said := c.Attributes[alice]; said && a.Zone != "eu-1a" {
				t.Errorf("%s: want its zone kept, have %+v", name, c)
			}
			if len(c.Withdrew) == 1 {
				return
			}
		}
	}
	values := client.Watch(t.Context(), "/go_servers/"+alice)
	r := registerIn(t, open(t, "etcd://"+member.Addr()), alice, "eu-1a")
	await(t, phase(r, sd.Registered))
	value, _ := entry(t, client, alice)
	r.Deregister()
	withdrawn("today's form")
	if last := lastValue(t, values); !strings.Contains(last, `"leaving":true`) ||
		!strings.Contains(last, `"zone":"eu-1a"`) {
		t.Errorf("want a last value with the zone, have %s", last)
	}
	key := "/go_servers/" + alice
	put(t, client, key, value)
	put(t, client, key, leavingWithout(t, value))
	if _, err := client.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	withdrawn("an earlier form")
	stop()
}

// watchAttributes begins a Watch, of which next returns one change after the other, and which stop
// ends.
func watchAttributes(t testing.TB, b sd.Backend) (next func() sd.Change, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan sd.Change, 100), make(chan error, 1)
	go func() {
		ended <- b.Watch(ctx, sd.Want{Attributes: true}, func(c sd.Change) { changes <- c })
	}()
	next = func() (c sd.Change) {
		t.Helper()
		select {
		case c = <-changes:
		case err := <-ended:
			t.Fatalf("want another change, have the end of the Watch: %v", err)
		}
		return c
	}
	return next, func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// A value that is too long to be read says nothing: a member stays as it was, and one that is new is
// as if it said nothing. Both are told, and so is the end of it.
func TestValueThatIsTooLong(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	said := string(record.Record{Instance: alice, Attributes: policy.Attributes{Zone: "eu-1a"}}.Encode())
	long := strings.TrimSuffix(said, "}") + `,"x":"` + strings.Repeat("x", record.MaxSize) + `"}`
	put(t, client, "/go_servers/"+alice, said)
	next, stop := watchAttributes(t, open(t, "etcd://"+member.Addr()))
	for n, step := range []struct {
		name, value, zones string
		unread             int
	}{
		{"", "", "eu-1a", 0},
		{alice, long, "", 1},
		{bob, long, "", 1},
		{alice, said, "eu-1a", 0},
	} {
		if step.name != "" {
			put(t, client, "/go_servers/"+step.name, step.value)
		}
		c, zones := next(), ""
		for _, a := range c.Attributes {
			zones += a.Zone
		}
		if zones != step.zones || len(c.Unread) != step.unread || n > 0 && len(c.Attributes) != len(step.zones)/5 {
			t.Errorf("step %d: want zone %q told and %d unread, have %+v", n, step.zones, step.unread, c)
		}
	}
	stop()
}

// registerIn registers an instance of a zone.
func registerIn(t testing.TB, b sd.Backend, instance, zone string) *sd.Registrar {
	t.Helper()
	r, err := sd.NewRegistrar(b, instance, kitlog.NewNopLogger(),
		sd.Attributes(policy.Attributes{Zone: zone}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Deregister)
	r.Register()
	return r
}

// lastValue is what a key had when it was deleted.
func lastValue(t testing.TB, events clientv3.WatchChan) (last string) {
	t.Helper()
	for response := range events {
		for _, e := range response.Events {
			if e.Type == clientv3.EventTypeDelete {
				return last
			}
			last = string(e.Kv.Value)
		}
	}
	t.Fatal("want a key deleted, have the end of the watch")
	return ""
}
