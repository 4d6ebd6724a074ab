package etcd_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	kitlog "github.com/go-kit/log"
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
	b, err := etcd.OpenBackend(target(t, text), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// register keeps an instance registered for the time of a test.
func register(t testing.TB, b sd.Backend, instance string) *sd.Registrar {
	t.Helper()
	r, err := sd.NewRegistrar(b, instance, kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Deregister)
	r.Register()
	return r
}

// A view is what an Instancer has told, with what went.
type view struct {
	t         testing.TB
	instancer *sd.Instancer

	mu       sync.Mutex
	known    bool
	set      map[string]bool
	min      int // size of the smallest set since it was known
	withdrew []string
}

func follow(t testing.TB, b sd.Backend) *view {
	t.Helper()
	v := &view{t: t, instancer: sd.NewInstancer(b, kitlog.NewNopLogger()), set: map[string]bool{}}
	unfollow := v.instancer.Follow(v.take)
	t.Cleanup(func() {
		unfollow()
		v.instancer.Stop()
	})
	return v
}

func (v *view) take(c sd.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.Reset {
		clear(v.set)
	}
	for _, name := range c.Down {
		delete(v.set, name)
	}
	for _, name := range c.Up {
		v.set[name] = true
	}
	v.withdrew = append(v.withdrew, c.Withdrew...)
	if !v.known || len(v.set) < v.min {
		v.min = len(v.set)
	}
	v.known = true
}

// differs returns an error unless the set is want.
func (v *view) differs(want ...string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	slices.Sort(want)
	have := slices.Sorted(maps.Keys(v.set))
	if !v.known || !slices.Equal(want, have) {
		return fmt.Errorf("want the set %.300q, have %.300q (known: %v)", want, have, v.known)
	}
	return nil
}

func (v *view) shows(want ...string) {
	v.t.Helper()
	await(v.t, func() error { return v.differs(want...) })
}

// live returns an error unless the set is what the registry says.
func (v *view) live() error {
	if s := v.instancer.State(); s.Phase != sd.Live {
		return fmt.Errorf("want %s, have %v", sd.Live, s)
	}
	return nil
}

// await waits until check returns nil, 15 s at most.
func await(t testing.TB, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; <-time.After(5 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// phase returns an error unless a registration stands where it should.
func phase(r *sd.Registrar, want sd.Phase) func() error {
	return func() error {
		if s := r.State(); s.Phase != want {
			return fmt.Errorf("want %s, have %v", want, s)
		}
		return nil
	}
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
