package etcd_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What a server has left before it was killed is taken away by its successor, which is withheld:
// clients that know no policy would call it until its lease ends. It withdrew. What is a stranger's
// stays.
func TestWithheldTakesAwayWhatAPredecessorLeft(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	put(t, client, "/go_servers", policy.Header+"\nwithdraw *\n")
	old := predecessor(t, client, alice)
	put(t, client, "/go_servers/"+bob, "mine", clientv3.WithLease(grant(t, client)))
	v := follow(t, open(t, "etcd://"+member.Addr()))
	v.shows(alice, bob)

	server := open(t, "etcd://"+member.Addr()+"?ttl=2s")
	for _, instance := range []string{alice, bob} {
		await(t, phase(sdtest.Register(t, server, instance), sd.Withheld))
	}
	await(t, func() error {
		if have := fmt.Sprint(v.withdrew()); have != "["+alice+"]" {
			return fmt.Errorf("withdrew: want %s, have %s", alice, have)
		}
		return errors.Join(v.Shows(bob), v.live())
	})
	if alive, err := client.TimeToLive(t.Context(), old); err != nil || alive.TTL <= 0 {
		t.Errorf("want the predecessor's lease left alone, have %+v, %v", alive, err)
	}
	if value, _ := entry(t, client, bob); value != "mine" {
		t.Errorf("want the stranger's entry untouched, have %q", value)
	}
}

// A server that may not read the policy any more keeps to the last one, as it does to the last that
// was readable, until it may again.
func TestWithheldStaysWithoutTheRightToRead(t *testing.T) {
	member := etcdtest.Start(t)
	withAuth(t, connect(t, member.Addr()))
	root := connectAsRoot(t, member.Addr())
	ctx := t.Context()
	put(t, root, "/go_servers", policy.Header+"\nwithdraw *\n")
	uri := "etcd://" + member.Addr() + "?ttl=2s&auth-file=" + secret(t, "svc:s")
	b := open(t, uri)
	r := sdtest.Register(t, b, alice)
	await(t, phase(r, sd.Withheld))
	if _, err := root.RoleRevokePermission(ctx, "server", "/go_servers", ""); err != nil {
		t.Fatal(err)
	}
	member.Restart(t)
	control := sdtest.Register(t, b, bob) // never read it, and is not withheld
	await(t, phase(control, sd.Registered))
	for range 20 { // of a second in which the other one could come back as well
		if s := r.State(); s.Phase != sd.Withheld {
			t.Fatalf("want it %s, have %v", sd.Withheld, s)
		}
		<-time.After(50 * time.Millisecond)
	}
	root = connectAsRoot(t, member.Addr()) // whose token the member has forgotten
	put(t, root, "/go_servers", "")
	read := clientv3.PermissionType(clientv3.PermRead)
	if _, err := root.RoleGrantPermission(ctx, "server", "/go_servers", "", read); err != nil {
		t.Fatal(err)
	}
	member.Restart(t)
	await(t, phase(r, sd.Registered))
}
