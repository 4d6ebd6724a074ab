package session

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// resolved gives the lab's host two addresses, the first of which has a fault.
func (l *lab) resolved(fault func(context.Context) (net.Conn, error)) *names {
	dns := &names{of: map[string][]string{}}
	dns.set("zookeeper.example.com", "192.0.2.1", "192.0.2.2")
	l.config.Lookup = dns.lookup
	l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
		if address == "192.0.2.1:2181" {
			return fault(ctx)
		}
		return nil, nil
	})
	return dns
}

const good = "zookeeper.example.com/192.0.2.2:2181"

// One name with several addresses, of which one is bad: the other is found at the start, and costs
// no session when it is the way back.
func TestOneNameManyAddresses(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for range 5 { // to begin with another address each time
				inLab(t, one, func(l *lab) {
					l.resolved(fault)
					s := l.start()
					before := l.conn(s, 1500*time.Millisecond)
					if before.Server != good {
						t.Errorf("server: want %s, have %s", good, before.Server)
					}
					for range 3 {
						l.Disconnect()
						wait.Pass(time.Millisecond)
						after := l.conn(s, 4*time.Second/3)
						if after.Session != before.Session {
							t.Errorf("session: want 0x%x again, have 0x%x", before.Session, after.Session)
						}
						wait.Pass(5 * time.Second)
					}
				})
			}
		})
	}
}

// An error names the address that it is about.
func TestErrorNamesTheAddress(t *testing.T) {
	for name, fault := range hostFaults {
		inLab(t, one, func(l *lab) {
			l.resolved(fault).set("zookeeper.example.com", "192.0.2.1")
			s := l.start()
			wait.Pass(7 * time.Second)
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), "no session: zookeeper.example.com/192.0.2.1:2181: ") {
				t.Errorf("%s: want an error about the address, have %v", name, err)
			}
		})
	}
}

// A name server that takes 1.2 s, or stops answering, costs that much at the start, and nothing
// later.
func TestSlowNameServer(t *testing.T) {
	inLab(t, one, func(l *lab) {
		dns := l.resolved(lost)
		slow := 1200 * time.Millisecond
		dns.delay = map[string]time.Duration{"ip4": slow, "ip6": slow}
		dns.set("zookeeper.example.com", "192.0.2.2")
		s := l.start()
		before := l.conn(s, slow+100*time.Millisecond)
		dns.mu.Lock()
		dns.delay = map[string]time.Duration{"ip4": time.Hour, "ip6": time.Hour}
		dns.mu.Unlock()
		for range 10 {
			l.Disconnect()
			wait.Pass(time.Millisecond)
			if after := l.conn(s, time.Second); after.Session != before.Session {
				t.Errorf("session: want 0x%x again, have 0x%x", before.Session, after.Session)
			}
			wait.Pass(5 * time.Second)
		}
	})
}

// A server that moves is found under its new address.
func TestServerMoves(t *testing.T) {
	inLab(t, one, func(l *lab) {
		dns := l.resolved(refusing)
		dns.set("zookeeper.example.com", "192.0.2.1")
		s := l.start()
		wait.Pass(10 * time.Second)
		dns.set("zookeeper.example.com", "192.0.2.2")
		l.conn(s, 2*time.Second)
	})
}

// A names is a name server for tests.
type names struct {
	mu    sync.Mutex
	of    map[string][]string
	delay map[string]time.Duration // by network
}

func (n *names) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[name] = addresses
}

func (n *names) lookup(ctx context.Context, network, host string) (found []netip.Addr, err error) {
	n.mu.Lock()
	delay := n.delay[network]
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
	if len(found) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return found, err
}
