package sd

import (
	"fmt"
	"net/netip"
)

// CheckInstance returns nil if s can be an instance: a canonical ip:port, that is,
// netip.ParseAddrPort accepts s and prints s again. The port is not 0. The address is one at which
// a single server can be dialled from another host, or from this one (loopback is fine). It is none
// that is
//
//   - unspecified, or of the network 0.0.0.0/8, which are sources only (RFC 1122, 3.2.1.3);
//   - a multicast or a broadcast address, 255.255.255.255 or that of loopback;
//   - of IPv6 and link-local, or has a zone, which means nothing on another host;
//   - an IPv4 address in one of its IPv6 forms, which would give one server two names.
//
// A name from a registry is untrusted: the rule keeps host names, leading zeros and everything that
// is not an address away from the dialer.
func CheckInstance(s string) error {
	if reason := refuse(s); reason != "" {
		return fmt.Errorf("instance %.64q: %s; "+
			"want a canonical ip:port such as 192.0.2.1:8897 or [2001:db8::1]:8897", s, reason)
	}
	return nil
}

// refuse says why s is no instance, or nothing. It does not allocate for one that is.
func refuse(s string) string {
	if isPlain(s) {
		return ""
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return "not an ip:port"
	}
	// First: a zone can hold anything, and is not repeated.
	if addr := ap.Addr(); addr.Zone() != "" {
		return "an address with a zone means nothing on another host"
	}
	var buf [64]byte
	if string(ap.AppendTo(buf[:0])) != s {
		return "not in canonical form, which is " + ap.String()
	}
	if ap.Port() == 0 {
		return "port 0 cannot be dialled"
	}
	return refuseAddr(ap.Addr())
}

// refuseAddr says why no server can be dialled at addr, or nothing.
func refuseAddr(addr netip.Addr) string {
	bytes := addr.As16()
	switch {
	case addr.Is4In6(), addr.Is6() && isIPv4Compatible(bytes):
		return "an IPv4 address has no second form"
	case addr.IsUnspecified():
		return "an unspecified address cannot be dialled"
	case addr.IsMulticast():
		return "a multicast address cannot be dialled"
	case addr.Is4() && bytes[12] == 0:
		return "an address of 0.0.0.0/8 cannot be dialled"
	case addr.Is4() && [3]byte(bytes[13:]) == [3]byte{255, 255, 255} &&
		(bytes[12] == 255 || bytes[12] == 127):
		return "a broadcast address cannot be dialled"
	case addr.Is6() && addr.IsLinkLocalUnicast():
		return "a link-local address without a zone cannot be dialled"
	}
	return ""
}

// isIPv4Compatible reports whether an address is of ::/96 and neither unspecified nor loopback (RFC
// 4291, 2.5.5.1: deprecated).
func isIPv4Compatible(addr [16]byte) bool {
	return [12]byte(addr[:12]) == [12]byte{} && (addr[12] != 0 || addr[13] != 0)
}

// isPlain reports whether s is a canonical IPv4 ip:port that can be dialled. Nearly every name is,
// and this takes a fraction of the time that the rules in full take, which decide about everything
// else.
func isPlain(s string) bool {
	const separators = "...:"
	field, n, digits := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			if digits > 0 && n == 0 { // a zero in front
				return false
			}
			if n, digits = 10*n+int(c-'0'), digits+1; n > 65535 {
				return false
			}
		case field == len(separators) || c != separators[field] || digits == 0 || n > 255:
			return false
		case field == 0 && (n == 0 || n == 127 || n >= 224): // some of these cannot be dialled
			return false
		default:
			field, n, digits = field+1, 0, 0
		}
	}
	return field == len(separators) && n > 0
}
