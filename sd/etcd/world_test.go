package etcd_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "[2001:db8::3]:8897"
)

// open opens a backend for the time of a test.
func open(t testing.TB, text string, options ...etcd.Option) *etcd.Backend {
	t.Helper()
	b, err := etcd.OpenBackend(sdtest.Target(t, text), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// A view is what an Instancer has told.
type view struct {
	*sdtest.Viewer
	t testing.TB
}

func follow(t testing.TB, b sd.Backend) *view {
	t.Helper()
	return &view{sdtest.View(t, b), t}
}

func (v *view) shows(want ...string) {
	v.t.Helper()
	await(v.t, func() error { return v.Shows(want...) })
}

// withdrew are those who left on purpose.
func (v *view) withdrew() []string {
	withdrew, _ := v.Departed()
	return withdrew
}

// live returns an error unless the set is what the registry says.
func (v *view) live() error { return sdtest.Phase(v.State, sd.Live) }

// await waits until check returns nil, 15 s at most.
func await(t testing.TB, check func() error) {
	t.Helper()
	wait.For(t, 15*time.Second, check)
}

// phase returns an error unless a registration stands where it should.
func phase(r *sd.Registrar, want sd.Phase) func() error {
	return func() error { return sdtest.Phase(r.State, want) }
}

// entry is a key of the directory, as another program sees it.
func entry(t testing.TB, client *clientv3.Client, instance string) (value string, lease clientv3.LeaseID) {
	t.Helper()
	got, err := client.Get(t.Context(), "/go_servers/"+instance)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) == 0 {
		return "", 0
	}
	return string(got.Kvs[0].Value), clientv3.LeaseID(got.Kvs[0].Lease)
}

func put(t testing.TB, client *clientv3.Client, key, value string, options ...clientv3.OpOption) {
	t.Helper()
	if _, err := client.Put(t.Context(), key, value, options...); err != nil {
		t.Fatal(err)
	}
}

func grant(t testing.TB, client *clientv3.Client) clientv3.LeaseID {
	t.Helper()
	lease, err := client.Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	return lease.ID
}

// stateIs returns an error unless err is in the chain of the state's.
func stateIs(s sd.State, err error) error {
	if !errors.Is(s.Err, err) {
		return fmt.Errorf("want %v, have %v", err, s)
	}
	return nil
}
