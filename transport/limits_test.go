package transport

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func address(s string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s))
}

func TestLimitsCountSources(t *testing.T) {
	l := &limits{perSource: 2, from: map[netip.Prefix]int{}}
	for _, test := range []struct {
		addr string
		want error
	}{
		{"192.0.2.1:1", nil},
		{"[::ffff:192.0.2.1]:2", nil}, // the same, mapped
		{"192.0.2.1:3", ErrMaxConnsPerIP},
		{"192.0.2.2:1", nil}, // a neighbour
		{"[2001:db8::1]:1", nil},
		{"[2001:db8::ffff:0:0:1]:1", nil}, // the same /64
		{"[2001:db8::2]:1", ErrMaxConnsPerIP},
		{"[2001:db8:0:1::1]:1", nil}, // the next /64
		{"[fe80::1%eth0]:1", nil},
		{"[fe80::2%eth1]:1", nil}, // a zone is ours, not the source's
		{"[fe80::3]:1", ErrMaxConnsPerIP},
	} {
		if have := l.admit(address(test.addr)); have != test.want {
			t.Errorf("%s: want %v, have %v", test.addr, test.want, have)
		}
	}
}

// admitted returns what became of each connection.
func admitted(l *limits, addrs ...string) []error {
	var have []error
	for _, addr := range addrs {
		have = append(have, l.admit(address(addr)))
	}
	return have
}

func TestLimitsForgetWhoLeft(t *testing.T) {
	l := &limits{total: 3, perSource: 2, from: map[netip.Prefix]int{}}
	const a, b = "192.0.2.1:1", "[2001:db8::1]:1"
	for range 100 {
		want := []error{nil, nil, ErrMaxConnsPerIP, nil, ErrMaxConns} // two of one source, three in all
		if have := admitted(l, a, a, a, b, b); !slices.Equal(have, want) {
			t.Fatalf("want %v, have %v", want, have)
		}
		for _, addr := range []string{a, b, a} {
			l.release(address(addr))
		}
	}
	if l.open != 0 || len(l.from) != 0 {
		t.Errorf("want nothing left, have %d open, %v", l.open, l.from)
	}
}

func TestLimitsOff(t *testing.T) {
	l := &limits{}
	for _, addr := range []net.Addr{address("192.0.2.1:1"), &net.UnixAddr{Name: "x"}, nil} {
		for range 10 {
			if l.admit(addr) != nil {
				t.Errorf("%v: want no limit", addr)
			}
		}
	}
}

func TestLimitsLeaveOtherNetworksAlone(t *testing.T) {
	l := &limits{perSource: 1, from: map[netip.Prefix]int{}}
	for range 2 {
		if l.admit(&net.UnixAddr{Name: "x"}) != nil {
			t.Error("want no limit for what has no IP address")
		}
	}
}
