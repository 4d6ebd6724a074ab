package transport

import (
	"net"
	"net/netip"
	"sync"
)

// limits counts the connections that are being served. A limit of zero is none. Connections that
// were refused do not count: maxRefusals bounds those.
type limits struct {
	total     int
	perSource int

	mu       sync.Mutex // guards what follows
	open     int
	admitted uint64 // ever
	from     map[netip.Prefix]int
}

// admit counts a connection from addr, until release undoes it, or returns the limit that it would
// exceed: ErrMaxConns or ErrMaxConnsPerIP.
func (l *limits) admit(addr net.Addr) error {
	source := l.source(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total > 0 && l.open >= l.total {
		return ErrMaxConns
	}
	if source.IsValid() {
		if l.from[source] >= l.perSource {
			return ErrMaxConnsPerIP
		}
		l.from[source]++
	}
	l.open++
	l.admitted++
	return nil
}

// counts returns how many are open, and how many were admitted.
func (l *limits) counts() (open int, admitted uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.admitted
}

// release undoes an admit of addr.
func (l *limits) release(addr net.Addr) {
	source := l.source(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if !source.IsValid() {
		return
	}
	if l.from[source]--; l.from[source] == 0 {
		delete(l.from, source) // the map holds open connections alone
	}
}

// source is the unit that addr counts for: an IPv4 address, also when it comes mapped into IPv6, or
// an IPv6 /64. It is invalid when there is no limit, or when addr is not a TCP address.
func (l *limits) source(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || l.perSource <= 0 {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	source, _ := ip.Prefix(bits) // an invalid ip gives an invalid prefix
	return source
}
