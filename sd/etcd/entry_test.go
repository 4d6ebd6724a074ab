package etcd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/board"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/sdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What happens to one entry, and what is made of it. Each subtest leaves the directory as it was.
func TestEntry(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	var board board.Board
	server := open(t, "etcd://"+member.Addr()+"?ttl=2s", etcd.Instruments(sd.BackendMetrics{
		SessionExpiries: board.Counter("expiries"), Repaired: board.Counter("repaired"),
	}))
	watcher := open(t, "etcd://"+member.Addr())
	board.Want(t, "from the start", map[string]float64{"expiries": 0, "repaired": 0})
	key := "/go_servers/" + alice
	var r *sd.Registrar

	t.Run("is a document with a lease", func(t *testing.T) {
		r = sdtest.Register(t, server, alice)
		await(t, phase(r, sd.Registered))
		value, lease := entry(t, client, alice)
		var d struct {
			ID      string `json:"id"`
			Process int    `json:"process"`
		}
		if err := json.Unmarshal([]byte(value), &d); err != nil || d.ID != alice || d.Process == 0 || lease == 0 {
			t.Errorf("want a document of %s with a lease, have %q, %x, %v", alice, value, lease, err)
		}
		got, err := client.Get(t.Context(), "/go_servers")
		if err != nil || len(got.Kvs) != 1 || len(got.Kvs[0].Value) != 0 || got.Kvs[0].Lease != 0 {
			t.Errorf("want the directory's own key, empty and for ever, have %v, %v", got, err)
		}
	})
	r.Register()
	v := follow(t, watcher)
	v.shows(alice)

	for name, lose := range map[string]func(t *testing.T){
		"key deleted": func(t *testing.T) {
			if _, err := client.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		},
		"lease revoked": func(t *testing.T) {
			_, lease := entry(t, client, alice)
			if _, err := client.Revoke(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		},
		"directory deleted": func(t *testing.T) {
			if _, err := client.Delete(t.Context(), "/go_servers", clientv3.WithPrefix()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			await(t, phase(r, sd.Registered))
			before := r.State().Since
			lose(t)
			await(t, func() error {
				if since := r.State().Since; !since.After(before) {
					return fmt.Errorf("want it lost and registered again, have %v", r.State())
				}
				return errors.Join(phase(r, sd.Registered)(), v.Is(alice), v.live())
			})
			if len(v.withdrew()) > 0 {
				t.Errorf("want it lost, have it withdrawn: %v", v.withdrew())
			}
		})
	}
	board.Want(t, "one lease was revoked", map[string]float64{"expiries": 1, "repaired": 0})

	t.Run("overwritten by a stranger", func(t *testing.T) {
		put(t, client, key, "mine", clientv3.WithLease(grant(t, client)))
		await(t, phase(r, sd.Conflict))
		r.Deregister()
		r.Register()
		await(t, phase(r, sd.Conflict))
		if value, _ := entry(t, client, alice); value != "mine" {
			t.Errorf("want the stranger's entry untouched, have %q", value)
		}
		v.shows(alice)
		if _, err := client.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		await(t, phase(r, sd.Registered))
	})
	t.Run("kept for ever by hand", func(t *testing.T) {
		value, _ := entry(t, client, alice)
		put(t, client, key, value) // also with our own document
		await(t, phase(r, sd.Conflict))
		if why := r.State().Err.Error(); !strings.Contains(why, "a permanent key, which only a person can delete") {
			t.Errorf("want what to do, have %s", why)
		}
		if _, err := client.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		await(t, phase(r, sd.Registered))
	})
	t.Run("withdrawn", func(t *testing.T) {
		v.shows(alice)
		_, lease := entry(t, client, alice)
		r.Deregister()
		v.shows()
		if len(v.withdrew()) != 1 {
			t.Errorf("want it withdrawn, have %v", v.withdrew())
		}
		if alive, err := client.TimeToLive(t.Context(), lease); err != nil || alive.TTL > 0 {
			t.Errorf("want its lease revoked, have %v, %v", alive, err)
		}
	})
}

// predecessor is the entry of another process on this host, which has died.
func predecessor(t testing.TB, client *clientv3.Client, instance string) clientv3.LeaseID {
	t.Helper()
	owner := record.Self()
	owner.Process++
	lease := grant(t, client)
	value := record.Record{Instance: instance, Owner: owner}.Encode()
	put(t, client, "/go_servers/"+instance, string(value), clientv3.WithLease(lease))
	return lease
}

// A predecessor's entry is replaced in one step, three times a minute.
func TestTakeover(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	b := open(t, "etcd://"+member.Addr())
	v := follow(t, open(t, "etcd://"+member.Addr()))
	old := predecessor(t, client, alice)
	v.shows(alice)
	r := sdtest.Register(t, b, alice)
	await(t, phase(r, sd.Registered))
	if _, lease := entry(t, client, alice); lease == old {
		t.Errorf("want another lease, have the old one")
	}
	if _, err := client.Revoke(t.Context(), old); err != nil { // which takes nothing along
		t.Fatal(err)
	}
	for range 2 {
		predecessor(t, client, alice)
		await(t, func() error {
			if value, _ := entry(t, client, alice); !strings.Contains(value, fmt.Sprintf(`"process":%d,`, record.Self().Process)) {
				return fmt.Errorf("want our entry, have %q", value)
			}
			return phase(r, sd.Registered)()
		})
	}
	predecessor(t, client, alice)
	await(t, phase(r, sd.Conflict))
	if v.Smallest() != 1 || v.Is(alice) != nil {
		t.Errorf("want no gap, have a set of %d; %v", v.Smallest(), v.Is(alice))
	}
}

// What lives on in the cluster is found again: nothing is written when the connection comes back.
func TestNothingIsWrittenAfterReconnect(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	b := open(t, "etcd://"+member.Addr()+"?ttl=5s")
	r := sdtest.Register(t, b, alice)
	await(t, phase(r, sd.Registered))
	got, err := client.Get(t.Context(), "/go_servers/"+alice)
	if err != nil {
		t.Fatal(err)
	}
	dials := b.Stats().Dials
	member.Restart(t)
	await(t, func() error {
		if b.Stats().Dials == dials || b.Stats().Server == "" {
			return fmt.Errorf("want another connection, have %+v", b.Stats())
		}
		return nil
	})
	<-time.After(time.Second)
	again, err := client.Get(t.Context(), "/go_servers/"+alice)
	if err != nil || again.Kvs[0].ModRevision != got.Kvs[0].ModRevision || r.State().Phase != sd.Registered {
		t.Errorf("want the entry unchanged and registered, have %v, %v, %v", again, err, r.State())
	}
}

// Close withdraws what is registered, and ends calls.
func TestClose(t *testing.T) {
	member := etcdtest.Start(t)
	b := open(t, "etcd://"+member.Addr())
	v := follow(t, open(t, "etcd://"+member.Addr()))
	ra, rb := sdtest.Register(t, b, alice), sdtest.Register(t, b, bob)
	await(t, phase(ra, sd.Registered))
	await(t, phase(rb, sd.Registered))
	v.shows(alice, bob)
	began := time.Now()
	b.Close()
	b.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("want it closed within 2s, have %v", took)
	}
	v.shows()
	if len(v.withdrew()) != 2 {
		t.Errorf("want both withdrawn, have %v", v.withdrew())
	}
	if err := b.Watch(t.Context(), sd.Want{}, nil); !errors.Is(err, sd.ErrClosed) {
		t.Errorf("watch: want %v, have %v", sd.ErrClosed, err)
	}
	if err := b.Announce(t.Context(), sd.Entry{Instance: carol}, nil); !errors.Is(err, sd.ErrClosed) {
		t.Errorf("announce: want %v, have %v", sd.ErrClosed, err)
	}
}
