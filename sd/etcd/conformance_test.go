package etcd_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zktest"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect is another program's client.
func connect(t testing.TB, addrs ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// A directory is one of its own on a real member, reached through a proxy.
type directory struct {
	t      testing.TB
	proxy  *zktest.Proxy
	client *clientv3.Client // another program
	lease  clientv3.LeaseID // of its entries
	path   string
	target sd.Target
}

func newDirectory(t testing.TB, member *etcdtest.Member, path, keys string) *directory {
	d := &directory{t: t, proxy: zktest.NewProxy(t, member.Addr()), client: connect(t, member.Addr()), path: path}
	lease, err := d.client.Grant(t.Context(), 3600)
	if err != nil {
		t.Fatal(err)
	}
	d.lease = lease.ID
	if _, err := d.client.Put(t.Context(), path, ""); err != nil {
		t.Fatal(err)
	}
	d.target = sdtest.Target(t, "etcd://"+d.proxy.Addr()+path+keys)
	return d
}

func (d *directory) Open() (sd.Backend, error) { return etcd.Open(d.target) }
func (d *directory) Settle()                   { <-time.After(10 * time.Millisecond) }
func (d *directory) Fail() error               { d.proxy.Refuse(); d.proxy.Cut(); return nil }
func (d *directory) Restore() error            { d.proxy.Heal(); return nil }

func (d *directory) Put(instance string) error {
	_, err := d.client.Put(d.t.Context(), d.path+"/"+instance, "", clientv3.WithLease(d.lease))
	return err
}

func (d *directory) Remove(instance string) error {
	_, err := d.client.Delete(d.t.Context(), d.path+"/"+instance)
	return err
}

func (d *directory) Instances() (all []string, err error) {
	got, err := d.client.Get(d.t.Context(), d.path+"/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	for _, kv := range got.Kvs {
		all = append(all, string(kv.Key)[len(d.path)+1:])
	}
	return all, nil
}

func realTime(t *testing.T, f func(t *testing.T)) { f(t) }

func TestConformance(t *testing.T) {
	member := etcdtest.Start(t)
	var paths atomic.Int64
	sdtest.Run(t, realTime, func(t testing.TB) sdtest.Harness {
		return newDirectory(t, member, fmt.Sprintf("/directory%d", paths.Add(1)), "")
	})
}
