package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fixedPlan returns a plan over hosts that need no lookup.
func fixedPlan(hosts ...string) *plan {
	return newPlan(newResolver(context.Background(), hosts, nil))
}

// draw returns the next server's name.
func draw(t *testing.T, p *plan) string {
	t.Helper()
	next, err := p.next(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return next.String()
}

// Every server has one turn in a round, in an order that changes; a round does not begin with the
// server that the one before ended with.
func TestRounds(t *testing.T) {
	for n := 1; n <= 5; n++ {
		hosts := []string{"a:1", "b:1", "c:1", "d:1", "e:1"}[:n]
		p := fixedPlan(hosts...)
		orders := map[string]bool{}
		last := ""
		for round := range 50 {
			var seen []string
			for range n {
				if p.rounds != max(0, round-1) && len(seen) == 0 || p.rounds != round && len(seen) > 0 {
					t.Fatalf("%d hosts: have %d rounds in round %d", n, p.rounds, round)
				}
				seen = append(seen, draw(t, p))
				p.timedOut()
			}
			if n > 1 && seen[0] == last {
				t.Errorf("%d hosts: %s has two turns one after the other", n, last)
			}
			last = seen[n-1]
			orders[fmt.Sprint(seen)] = true
			if slices.Sort(seen); !slices.Equal(seen, hosts) {
				t.Errorf("%d hosts: want each once in a round, have %q", n, seen)
			}
		}
		if n > 2 && len(orders) < 4 {
			t.Errorf("%d hosts: want many orders, have %d", n, len(orders))
		}
		p.success()
		for range 3 * n { // refused, and not slow
			draw(t, p)
		}
		if p.rounds != 0 {
			t.Errorf("%d hosts, after a session: want no round, have %d", n, p.rounds)
		}
	}
}

// Clients do not all begin with the same host.
func TestRoundsBeginAnywhere(t *testing.T) {
	begun := map[string]int{}
	for range 300 {
		begun[draw(t, fixedPlan("a:1", "b:1", "c:1"))]++
	}
	for _, name := range []string{"a:1", "b:1", "c:1"} {
		if begun[name] < 50 {
			t.Errorf("%s: want about 100 of 300 to begin there, have %d", name, begun[name])
		}
	}
}

// A preferred server comes next, once; a name that is nobody's changes nothing.
func TestPrefer(t *testing.T) {
	p := fixedPlan("a:1", "b:1", "c:1")
	p.prefer("d:1")
	first := draw(t, p)
	p.prefer(first)
	if second := draw(t, p); second != first {
		t.Errorf("want %s again, have %s", first, second)
	}
	if third := draw(t, p); third == first {
		t.Errorf("want another than %s, have it again", first)
	}
}

// Only rounds in which there is no session to be saved make a handshake longer.
func TestHandshakeTimeout(t *testing.T) {
	for _, c := range []struct {
		hosts   int
		session time.Duration
		rounds  int
		saving  bool
		want    time.Duration
	}{
		{1, 3 * time.Second, 0, false, time.Second},
		{3, 9 * time.Second, 0, false, time.Second},
		{3, 9 * time.Second, 1, false, 2 * time.Second},
		{3, 9 * time.Second, 2, false, 4 * time.Second},
		{3, 9 * time.Second, 4, false, 9 * time.Second}, // never more than a session timeout
		{3, 9 * time.Second, 1 << 30, false, 9 * time.Second},
		{1, time.Minute, 0, false, maxHandshake},
		{5, time.Second, 0, false, minHandshake},
		{1, time.Millisecond, 1000, false, minHandshake}, // a server may grant anything
		{3, 9 * time.Second, 5, true, time.Second},
		{1, 6 * time.Second, 5, true, time.Second}, // two turns
		{2, 6 * time.Second, 5, true, time.Second},
		{1, time.Minute, 0, true, maxHandshake},
		{5, time.Second, 0, true, minHandshake},
	} {
		hosts := make([]string, c.hosts)
		for n := range hosts {
			hosts[n] = fmt.Sprintf("%d:1", n)
		}
		p := fixedPlan(hosts...)
		p.rounds = c.rounds
		if have := p.handshakeTimeout(c.session, c.saving); have != c.want {
			t.Errorf("%+v: have %v", c, have)
		}
	}
}

// A names is a name server for tests.
type names struct {
	mu      sync.Mutex
	of      map[string][]string
	delay   map[string]time.Duration // by network
	err     error
	lookups int
}

func (n *names) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[name] = addresses
}

func (n *names) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

func (n *names) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	n.lookups++
	delay, err := n.delay[network], n.err
	var found []netip.Addr
	for _, a := range n.of[host] {
		if ip := netip.MustParseAddr(a); ip.Is4() == (network == "ip4") {
			found = append(found, ip)
		}
	}
	n.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
	}
	if err == nil && len(found) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return found, err
}

// A name with several addresses is as many servers; what it stands for is asked in every round, and
// kept while that fails.
func TestResolvedTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &names{of: map[string][]string{}}
		dns.set("zk.example.com", "192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1")
		ctx, cancel := context.WithCancel(t.Context())
		r := newResolver(ctx, []string{"zk.example.com:2181", "192.0.2.9:2181"}, dns.lookup)
		defer r.wait()
		defer cancel()
		p := newPlan(r)
		draw(t, p)
		round := func() (seen []string) {
			p.end(true)
			for p.begin(); ; {
				synctest.Wait()
				next, ok := p.pick(r.view().servers)
				if !ok {
					slices.Sort(seen)
					return seen
				}
				seen = append(seen, next.String())
			}
		}
		all := []string{
			"192.0.2.9:2181", "zk.example.com/192.0.2.1:2181", "zk.example.com/192.0.2.2:2181",
			"zk.example.com/[2001:db8::1]:2181",
		}
		for _, step := range []struct {
			does string
			do   func()
			want []string
		}{
			{"nothing", func() {}, all},
			{"fails", func() { dns.fail(&net.DNSError{Err: "server misbehaving"}) }, all},
			{"has none left", func() { dns.fail(nil); dns.set("zk.example.com") }, all},
			{"has another", func() { dns.set("zk.example.com", "192.0.2.3") }, []string{"192.0.2.9:2181", "zk.example.com/192.0.2.3:2181"}},
		} {
			step.do()
			round()
			if have := round(); !slices.Equal(have, step.want) {
				t.Errorf("the name server %s: want %q, have %q", step.does, step.want, have)
			}
		}
	})
}

// Next waits for a name only as long as there is nothing else to dial, and tells why there is none.
func TestSlowLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &names{of: map[string][]string{}, delay: map[string]time.Duration{"ip4": 1200 * time.Millisecond, "ip6": time.Hour}}
		dns.set("zk.example.com", "192.0.2.1")
		ctx, cancel := context.WithCancel(t.Context())
		r := newResolver(ctx, []string{"zk.example.com:2181"}, dns.lookup)
		defer r.wait()
		defer cancel()
		p, start := newPlan(r), time.Now()
		if have := draw(t, p); have != "zk.example.com/192.0.2.1:2181" || time.Since(start) != 1200*time.Millisecond {
			t.Errorf("want the address after 1.2s, have %s after %v", have, time.Since(start))
		}
		start = time.Now()
		for range 5 {
			draw(t, p)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a known address: want it at once, have it after %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		dns := &names{delay: map[string]time.Duration{"ip4": time.Hour, "ip6": time.Hour}}
		r := newResolver(t.Context(), []string{"zk.example.com:2181"}, dns.lookup)
		start := time.Now()
		_, err := newPlan(r).next(t.Context(), false)
		var timeout *net.DNSError
		if !errors.As(err, &timeout) || !timeout.IsTimeout || time.Since(start) != lookupTimeout {
			t.Errorf("want a lookup's timeout after %v, have %v after %v", lookupTimeout, err, time.Since(start))
		}
		r.wait()
	})
}

// A name may have thousands of addresses; a few are dialled.
func TestManyAddresses(t *testing.T) {
	dns := &names{of: map[string][]string{}}
	for n := range 250 {
		dns.of["zk.example.com"] = append(dns.of["zk.example.com"], fmt.Sprintf("192.0.2.%d", n))
	}
	r := newResolver(t.Context(), []string{"zk.example.com:2181"}, dns.lookup)
	r.refresh()
	r.wait()
	if have := len(r.view().servers); have != maxAddresses {
		t.Errorf("servers: want %d, have %d", maxAddresses, have)
	}
}
