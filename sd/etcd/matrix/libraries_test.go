package matrix

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/etcdv3"
	kitlog "github.com/go-kit/log"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	gresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// A library registers an instance, or follows the directory; both until the test ends.
type library struct {
	name     string
	announce func(t *testing.T, addr, instance string)
	watch    func(t *testing.T, addr string, set func([]string))
	instance func(key, value string) string // that an entry stands for
}

func libraries() []library {
	return []library{
		{"sd/etcd", announceOurs, watchOurs, func(key, _ string) string { return key }},
		{"go-kit sd/etcdv3", announceKit, watchKit, func(_, value string) string { return value }},
		{"etcd naming", announceNaming, watchNaming, func(_, value string) string {
			var e endpoints.Endpoint
			if json.Unmarshal([]byte(value), &e) != nil {
				return ""
			}
			return e.Addr
		}},
	}
}

func openOurs(t *testing.T, addr string) *etcd.Backend {
	target, err := sd.ParseTarget("etcd://" + addr + service1 + "?ttl=2s")
	if err != nil {
		t.Fatal(err)
	}
	b, err := etcd.OpenBackend(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func announceOurs(t *testing.T, addr, instance string) {
	r, err := sd.NewRegistrar(openOurs(t, addr), instance, kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	r.Register()
	t.Cleanup(r.Deregister)
}

func watchOurs(t *testing.T, addr string, set func([]string)) {
	i := sd.NewInstancer(openOurs(t, addr), kitlog.NewNopLogger())
	t.Cleanup(i.Stop)
	follow(t, i, set)
}

// follow hands on what a go-kit instancer sends.
func follow(t *testing.T, i kitsd.Instancer, set func([]string)) {
	events, quit, done := make(chan kitsd.Event, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e := <-events:
				if e.Err == nil {
					set(e.Instances)
				}
			case <-quit:
				return
			}
		}
	}()
	go i.Register(events) // go-kit's sends at once
	t.Cleanup(func() {
		close(quit)
		<-done
	})
}

func kitClient(t *testing.T, addr string) etcdv3.Client {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	client, err := etcdv3.NewClient(ctx, []string{addr},
		etcdv3.ClientOptions{DialTimeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func announceKit(t *testing.T, addr, instance string) {
	etcdv3.NewRegistrar(kitClient(t, addr), etcdv3.Service{
		Key: service1 + "/" + instance, Value: instance, TTL: etcdv3.NewTTLOption(time.Second, ttl),
	}, kitlog.NewNopLogger()).Register()
}

func watchKit(t *testing.T, addr string, set func([]string)) {
	i, err := etcdv3.NewInstancer(kitClient(t, addr), service1+"/", kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	follow(t, i, set)
}

// announceNaming does as the documentation of the package does: a lease that is kept alive.
func announceNaming(t *testing.T, addr, instance string) {
	client := connect(t, addr)
	manager, err := endpoints.NewManager(client, service1)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := client.Grant(t.Context(), int64(ttl/time.Second))
	if err != nil {
		t.Fatal(err)
	}
	alive, err := client.KeepAlive(context.Background(), lease.ID)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range alive {
		}
	}()
	err = manager.AddEndpoint(t.Context(), service1+"/"+instance, endpoints.Endpoint{Addr: instance},
		clientv3.WithLease(lease.ID))
	if err != nil {
		t.Fatal(err)
	}
}

// A grpcConn takes what a resolver of gRPC tells.
type grpcConn struct{ set func([]string) }

func (c grpcConn) UpdateState(s gresolver.State) error {
	var all []string
	for _, e := range s.Endpoints {
		for _, a := range e.Addresses {
			all = append(all, a.Addr)
		}
	}
	if len(s.Endpoints) == 0 {
		for _, a := range s.Addresses {
			all = append(all, a.Addr)
		}
	}
	c.set(all)
	return nil
}
func (grpcConn) ReportError(error)                                    {}
func (grpcConn) NewAddress([]gresolver.Address)                       {}
func (grpcConn) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }

func watchNaming(t *testing.T, addr string, set func([]string)) {
	builder, err := resolver.NewBuilder(connect(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	target := gresolver.Target{URL: url.URL{Scheme: "etcd", Path: "/" + service1}}
	r, err := builder.Build(target, grpcConn{set}, gresolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
}
