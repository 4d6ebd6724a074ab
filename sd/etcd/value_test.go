package etcd_test

import (
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
