// Package host is what this host knows of itself: its boot, its addresses, and which of its
// processes listen where.
package host

import (
	"net"
	"net/netip"
	"os"
	"strings"
)

// A Host is what this host is known by.
type Host struct {
	Boot      string // boot id, "" if it is not known; nodes carry that of their host
	Addresses []netip.Addr
}

// This describes this host.
func This() (h Host) {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // known on Linux
	h.Boot = strings.TrimSpace(string(boot))
	addrs, _ := net.InterfaceAddrs() // none is an answer, too
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			h.Addresses = append(h.Addresses, prefix.Addr().Unmap())
		}
	}
	return h
}

// Listeners map the addresses of this host to the processes that listen there, as far as this
// process may see.
type Listeners map[netip.AddrPort][]int

// At returns the processes that get the connections to an address: those that listen there, or else
// on all addresses.
func (l Listeners) At(addr netip.AddrPort) []int {
	if pids := l[addr]; len(pids) > 0 {
		return pids
	}
	if pids := l[netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())]; len(pids) > 0 {
		return pids
	}
	return l[netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())]
}
