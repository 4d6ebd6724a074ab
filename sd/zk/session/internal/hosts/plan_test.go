package hosts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fixedPlan returns a plan over hosts that need no lookup.
func fixedPlan(hosts ...string) *Plan {
	return NewPlan(NewResolver(context.Background(), hosts, nil))
}

// draw returns the next server's name.
func draw(t *testing.T, p *Plan) string {
	t.Helper()
	next, err := p.Next(t.Context(), false)
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
				p.TimedOut()
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
		p.Success()
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
	p.Prefer("d:1")
	first := draw(t, p)
	p.Prefer(first)
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
		if have := p.HandshakeTimeout(c.session, c.saving); have != c.want {
			t.Errorf("%+v: have %v", c, have)
		}
	}
}

// A names is what a name server knows: addresses, or an error.
type names struct {
	addresses []string
	err       error
}

// lookup answers at once.
func (n *names) lookup(_ context.Context, network, _ string) (found []netip.Addr, err error) {
	for _, a := range n.addresses {
		if ip := netip.MustParseAddr(a); ip.Is4() == (network == "ip4") {
			found = append(found, ip)
		}
	}
	if n.err == nil && len(found) == 0 {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return found, n.err
}

// A name with several addresses is as many servers; what it stands for is asked in every round, and
// kept while that fails.
func TestResolvedTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &names{addresses: []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1"}}
		r := NewResolver(t.Context(), []string{"zk.example.com:2181", "192.0.2.9:2181"}, dns.lookup)
		defer r.Wait()
		p := NewPlan(r)
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
			now  names
			want []string
		}{
			{"nothing", *dns, all},
			{"has none left at once", names{}, all}, // the families end in any order
			{"has them again", *dns, all},
			{"fails", names{err: &net.DNSError{Err: "server misbehaving"}}, all},
			{"has none left", names{}, all},
			{"has another", names{addresses: []string{"192.0.2.3"}}, []string{"192.0.2.9:2181", "zk.example.com/192.0.2.3:2181"}},
			{"has one of the other family", names{addresses: []string{"2001:db8::3"}}, []string{"192.0.2.9:2181", "zk.example.com/[2001:db8::3]:2181"}},
		} {
			synctest.Wait() // no lookup is under way
			*dns = step.now
			round()
			if have := round(); !slices.Equal(have, step.want) {
				t.Errorf("the name server %s: want %q, have %q", step.does, step.want, have)
			}
		}
	})
}

// slow is a lookup that takes its time, by network, and then finds an IPv4 address.
func slow(ip4, ip6 time.Duration) lookup {
	return func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		delay := map[string]time.Duration{"ip4": ip4, "ip6": ip6}[network]
		select {
		case <-time.After(delay):
			return (&names{addresses: []string{"192.0.2.1"}}).lookup(ctx, network, host)
		case <-ctx.Done():
			return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
		}
	}
}

// Next waits for a name only as long as there is nothing else to dial, and tells why there is none.
func TestSlowLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 1200 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		r := NewResolver(ctx, []string{"zk.example.com:2181"}, slow(takes, time.Hour))
		defer r.Wait()
		defer cancel()
		p, start := NewPlan(r), time.Now()
		if have := draw(t, p); have != "zk.example.com/192.0.2.1:2181" || time.Since(start) != takes {
			t.Errorf("want the address after %v, have %s after %v", takes, have, time.Since(start))
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
		r := NewResolver(t.Context(), []string{"zk.example.com:2181"}, slow(time.Hour, time.Hour))
		start := time.Now()
		_, err := NewPlan(r).Next(t.Context(), false)
		var timeout *net.DNSError
		if !errors.As(err, &timeout) || !timeout.IsTimeout || time.Since(start) != lookupTimeout {
			t.Errorf("want a lookup's timeout after %v, have %v after %v", lookupTimeout, err, time.Since(start))
		}
		r.Wait()
	})
}

// A lookup that gives no address and no error has failed: there is no server of no address.
func TestNoAddress(t *testing.T) {
	none := func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }
	r := NewResolver(t.Context(), []string{"zk.example.com:2181"}, none)
	s, err := NewPlan(r).Next(t.Context(), false)
	r.Wait()
	if !isNotFound(err) || !strings.Contains(err.Error(), "zk.example.com") {
		t.Errorf("want an error that names the host, have the server %q and %v", s.Address, err)
	}
}

// A name may have thousands of addresses; a few are dialled.
func TestManyAddresses(t *testing.T) {
	dns := &names{}
	for n := range 250 {
		dns.addresses = append(dns.addresses, fmt.Sprintf("192.0.2.%d", n))
	}
	r := NewResolver(t.Context(), []string{"zk.example.com:2181"}, dns.lookup)
	r.refresh()
	r.Wait()
	if have := len(r.view().servers); have != maxAddresses {
		t.Errorf("servers: want %d, have %d", maxAddresses, have)
	}
}
