package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/zk/zktest"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/etcdv3"
	kitlog "github.com/go-kit/log"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	gresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

const (
	service1 = "/peers"
	first    = "192.0.2.1:1"
	second   = "192.0.2.2:2"
	patience = 10 * time.Second // for what should happen by itself
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

// A subject is one library under one fault.
type subject struct {
	*testing.T
	library
	member *etcdtest.Member
	proxy  *zktest.Proxy // before the watcher
	admin  *clientv3.Client

	mu  sync.Mutex
	set []string
}

func newSubject(t *testing.T, l library) *subject {
	s := &subject{T: t, library: l, member: etcdtest.Start(t)}
	s.proxy, s.admin = zktest.NewProxy(t, s.member.Addr()), connect(t, s.member.Addr())
	l.announce(t, s.member.Addr(), first)
	s.wait("registered at first", func() bool { return s.registered(first) })
	l.watch(t, s.proxy.Addr(), func(set []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.set = slices.Clone(set)
	})
	s.wait("seen at first", func() bool { return s.sees(first) })
	return s
}

func (s *subject) sees(instance string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.set, instance)
}

// registered reports whether an entry stands for the instance.
func (s *subject) registered(instance string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	got, err := s.admin.Get(ctx, service1+"/", clientv3.WithPrefix())
	return err == nil && slices.ContainsFunc(got.Kvs, func(kv *mvccpb.KeyValue) bool {
		return s.instance(strings.TrimPrefix(string(kv.Key), service1+"/"), string(kv.Value)) == instance
	})
}

func (s *subject) wait(what string, f func() bool) {
	s.Helper()
	if s.within(f) == "never" {
		s.Fatalf("%s: %s: want it within %v", s.name, what, patience)
	}
}

// within says after what time f was true.
func (s *subject) within(f func() bool) string {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		if f() {
			return fmt.Sprintf("%.1fs", time.Since(begun).Seconds())
		}
	}
	return "never"
}

func (s *subject) entry() *mvccpb.KeyValue {
	s.Helper()
	got, err := s.admin.Get(s.Context(), service1+"/", clientv3.WithPrefix())
	if err != nil || len(got.Kvs) != 1 {
		s.Fatalf("%s: want one entry, have %v, %v", s.name, got, err)
	}
	return got.Kvs[0]
}

// A registrant and a watcher of each library, and what becomes of them after each fault.
func TestPeers(t *testing.T) {
	if !*runPeers {
		t.Skip("takes three minutes: want -matrix.peers")
	}
	faults := []struct {
		name string
		do   func(s *subject)
	}{
		{"the member restarted", func(s *subject) { s.member.Restart(s.T) }},
		{"frozen for three ttl", func(s *subject) {
			s.member.Freeze(s.T)
			time.Sleep(3 * ttl)
			s.member.Thaw(s.T)
		}},
		{"data wiped", func(s *subject) {
			s.member.Wipe(s.T)
			s.member.Launch(s.T)
			s.member.Await(s.T)
		}},
		{"the lease revoked", func(s *subject) {
			if _, err := s.admin.Revoke(s.Context(), clientv3.LeaseID(s.entry().Lease)); err != nil {
				s.Fatal(err)
			}
		}},
		{"the key deleted", func(s *subject) {
			if _, err := s.admin.Delete(s.Context(), string(s.entry().Key)); err != nil {
				s.Fatal(err)
			}
		}},
		{"compacted while the watcher is behind", func(s *subject) {
			s.proxy.Stall(zktest.ToClient)
			var revision int64
			for range 500 {
				done, err := s.admin.Put(s.Context(), service1+"/filler", strings.Repeat("x", 4000))
				if err != nil {
					s.Fatal(err)
				}
				revision = done.Header.Revision
			}
			if _, err := s.admin.Delete(s.Context(), service1+"/filler"); err != nil {
				s.Fatal(err)
			}
			if _, err := s.admin.Compact(s.Context(), revision); err != nil {
				s.Fatal(err)
			}
			s.proxy.Heal()
		}},
	}
	var lines []string
	defer func() {
		t.Logf("\n%-38s %-18s %16s %12s\n%s", "fault", "library", "registered again", "seen again",
			strings.Join(lines, "\n"))
	}()
	for _, fault := range faults {
		for _, l := range libraries() {
			t.Run(fault.name+", "+l.name, func(t *testing.T) {
				s := newSubject(t, l)
				fault.do(s)
				again := s.within(func() bool { return s.registered(first) })
				l.announce(t, s.member.Addr(), second)
				seen := s.within(func() bool { return s.sees(second) })
				lines = append(lines, fmt.Sprintf("%-38s %-18s %16s %12s", fault.name, l.name, again, seen))
				if l.name == "sd/etcd" && (again == "never" || seen == "never") {
					t.Errorf("%s: want registered and seen again, have %s, %s", fault.name, again, seen)
				}
			})
		}
	}
}
