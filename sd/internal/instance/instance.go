// Package instance says which names are instances (see sd.CheckInstance), and keeps a sample of
// those that are none.
package instance

import "net/netip"

// Refuse says why s is no instance, or nothing. It does not allocate for one that is.
func Refuse(s string) string {
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
