// Package host is what this host knows of itself: its boot, its addresses, and which of its
// processes listen where.
package host

import (
	"net"
	"net/netip"
	"os"
	"slices"
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

// Has reports whether an address is this host's own, as far as its network is this process's.
func (h Host) Has(addr netip.Addr) bool {
	return addr.IsLoopback() || slices.Contains(h.Addresses, addr)
}

// Listeners map the addresses of this host to the sockets that listen there, and these to the
// processes that hold them, as far as this process may see.
type Listeners map[netip.AddrPort][][]int

// At returns the processes that get the connections to an address: those that listen there, or else
// on all addresses.
func (l Listeners) At(addr netip.AddrPort) []int {
	sockets := l[addr]
	for _, all := range []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()} {
		if len(sockets) == 0 {
			sockets = l[netip.AddrPortFrom(all, addr.Port())]
		}
	}
	return slices.Concat(sockets...)
}

// Rivals returns a process for each socket that listens on just that address, if these are of
// several processes that hold none in common. Connections go to either by chance (SO_REUSEPORT).
func (l Listeners) Rivals(addr netip.AddrPort) (pids []int) {
	sockets := l[addr]
	for i, holders := range sockets {
		for _, other := range sockets[:i] {
			if slices.ContainsFunc(holders, func(p int) bool { return slices.Contains(other, p) }) {
				return nil
			}
		}
		pids = append(pids, slices.Min(holders))
	}
	if len(pids) < 2 {
		return nil
	}
	slices.Sort(pids)
	return pids
}
