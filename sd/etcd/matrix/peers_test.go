package matrix

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/zk/zktest"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	service1 = "/peers"
	first    = "192.0.2.1:1"
	second   = "192.0.2.2:2"
	patience = 10 * time.Second // for what should happen by itself
)

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

// A peerFault is what happens to a library's registrant and watcher.
type peerFault struct {
	name string
	do   func(s *subject)
}

func peerFaults() []peerFault {
	return []peerFault{
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
}

// A registrant and a watcher of each library, and what becomes of them after each fault.
func TestPeers(t *testing.T) {
	if !*runPeers {
		t.Skip("takes three minutes: want -matrix.peers")
	}
	var lines []string
	defer func() {
		t.Logf("\n%-38s %-18s %16s %12s\n%s", "fault", "library", "registered again", "seen again",
			strings.Join(lines, "\n"))
	}()
	for _, fault := range peerFaults() {
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
