package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zktest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Without its own key, and without entries, nothing is known of a directory.
func TestMissingDirectoryIsUnknown(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	v := follow(t, open(t, "etcd://"+member.Addr()+"/svc"))
	put(t, client, "/svc2", "")
	put(t, client, "/svc2/"+alice, "")
	put(t, client, "/svc-old/"+alice, "")
	<-time.After(300 * time.Millisecond)
	if set, known := v.Set(); known || v.State().Phase != sd.Unknown {
		t.Errorf("want nothing known, have %v, %v", set, v.State())
	}
	put(t, client, "/svc", "")
	v.shows()
	put(t, client, "/svc/"+alice, "")
	v.shows(alice)
	if _, err := client.Delete(t.Context(), "/svc"); err != nil { // there still is an entry
		t.Fatal(err)
	}
	put(t, client, "/svc/"+bob, "")
	v.shows(alice, bob)
	if err := v.live(); err != nil {
		t.Error(err)
	}
	if _, err := client.Delete(t.Context(), "/svc/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		if s := v.State(); s.Phase != sd.Stale {
			return fmt.Errorf("want %s, have %v", sd.Stale, s)
		}
		return v.Is(alice, bob)
	})
}

// History that is compacted while a watcher is behind is read again as a whole.
func TestCompaction(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	proxy := zktest.NewProxy(t, member.Addr())
	b := open(t, "etcd://"+proxy.Addr()+"?ttl=60s")
	put(t, client, "/go_servers", "")
	v := follow(t, b)
	v.shows()
	proxy.Stall(zktest.ToClient)
	var want []string
	value := strings.Repeat("x", 4000)
	for n := range 500 { // more than is under way on its own
		name := fmt.Sprintf("192.0.2.%d:%d", n%250+1, 1000+n)
		put(t, client, "/go_servers/"+name, value)
		if n%2 == 0 {
			want = append(want, name)
		} else if _, err := client.Delete(t.Context(), "/go_servers/"+name); err != nil {
			t.Fatal(err)
		}
	}
	now, err := client.Get(t.Context(), "/go_servers")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	proxy.Heal()
	v.shows(want...)
	t.Logf("%+v", b.Stats())
}

// A member that is frozen makes the set stale, and nothing else; thawed, it is live again.
func TestFrozen(t *testing.T) {
	member := etcdtest.Start(t)
	server, watcher := open(t, "etcd://"+member.Addr()+"?ttl=2s"), open(t, "etcd://"+member.Addr()+"?ttl=2s")
	r := sdtest.Register(t, server, alice)
	v := follow(t, watcher)
	v.shows(alice)
	member.Freeze(t)
	began := time.Now()
	await(t, func() error {
		if s := v.State(); s.Phase != sd.Stale {
			return fmt.Errorf("want %s, have %v", sd.Stale, s)
		}
		return nil
	})
	t.Logf("stale after %v", time.Since(began))
	await(t, phase(r, sd.Lost))
	member.Thaw(t)
	thawed := time.Now()
	await(t, func() error {
		return errors.Join(v.live(), v.Is(alice), phase(r, sd.Registered)())
	})
	t.Logf("live and registered %v after the thaw", time.Since(thawed))
}

// Wiped data is no empty directory: the list stays until the servers have registered again.
func TestWiped(t *testing.T) {
	member := etcdtest.Start(t)
	server, watcher := open(t, "etcd://"+member.Addr()+"?ttl=2s"), open(t, "etcd://"+member.Addr()+"?ttl=2s")
	r := sdtest.Register(t, server, alice)
	v := follow(t, watcher)
	v.shows(alice)
	member.Wipe(t)
	member.Launch(t)
	member.Await(t)
	client := connect(t, member.Addr())
	await(t, func() error {
		if value, _ := entry(t, client, alice); value == "" {
			return errors.New("want the entry in the new data, have none")
		}
		return errors.Join(v.live(), v.Is(alice), phase(r, sd.Registered)())
	})
	if v.Smallest() != 1 {
		t.Errorf("want the list kept meanwhile, have one of %d", v.Smallest())
	}
}

// A directory that is deleted as a whole leaves no empty set behind, in whichever order its watches
// tell of that.
func TestDeletedDirectoryIsNotEmpty(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	b := open(t, "etcd://"+member.Addr())
	for range 20 {
		put(t, client, "/go_servers", "")
		put(t, client, "/go_servers/"+alice, "")
		put(t, client, "/go_servers/"+bob, "")
		w := sdtest.Watch(t, b, sd.Want{})
		await(t, func() error { return w.Shows(alice, bob) })
		if _, err := client.Delete(t.Context(), "/go_servers", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		if err := w.End(); !strings.Contains(err.Error(), "directory removed") {
			t.Errorf("want the directory removed, have %v", err)
		}
		if err := w.Is(alice, bob); err != nil {
			t.Fatal(err)
		}
	}
}

// The last one that leaves a directory leaves an empty set.
func TestLastEntryLeavesAnEmptySet(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	put(t, client, "/go_servers", "")
	put(t, client, "/go_servers/"+alice, "")
	w := sdtest.Watch(t, open(t, "etcd://"+member.Addr()), sd.Want{})
	await(t, func() error { return w.Shows(alice) })
	if _, err := client.Delete(t.Context(), "/go_servers/"+alice); err != nil {
		t.Fatal(err)
	}
	await(t, func() error { return w.Shows() })
}

// A directory that appears in one piece is told in one: its own key and its entries have a watch
// each, whose events come one after the other.
func TestDirectoryAppears(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	for n := range 10 {
		path := fmt.Sprint("/appears-", n)
		b := open(t, "etcd://"+member.Addr()+path)
		ctx, cancel := context.WithCancel(t.Context())
		changes, ended := make(chan sd.Change, 100), make(chan error, 1)
		go func() {
			ended <- b.Watch(ctx, sd.Want{Policy: true}, func(c sd.Change) { changes <- c })
		}()
		await(t, func() error {
			if err := b.Err(); !errors.Is(err, sd.ErrNoDirectory) {
				return fmt.Errorf("want %v, have %v", sd.ErrNoDirectory, err)
			}
			return nil
		})
		document := policy.Header + "\ndrain " + alice + "\n"
		if _, err := client.Txn(ctx).Then(clientv3.OpPut(path, document),
			clientv3.OpPut(path+"/"+alice, ""), clientv3.OpPut(path+"/"+bob, "")).Commit(); err != nil {
			t.Fatal(err)
		}
		c := <-changes
		slices.Sort(c.Up)
		if !c.Reset || !slices.Equal(c.Up, []string{alice, bob}) || c.Policy == nil || c.Policy.Document != document {
			t.Errorf("want both with the policy, have %+v, policy %+v", c, c.Policy)
		}
		cancel()
		<-ended
		if len(changes) > 0 {
			t.Errorf("want nothing else told, have %+v", <-changes)
		}
	}
}
