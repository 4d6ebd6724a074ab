package sd

import (
	"fmt"
	"net/netip"
)

// CheckInstance returns nil if s can be an instance: a canonical ip:port, that is,
// netip.ParseAddrPort accepts s and prints s again. The port is not 0. The address has no zone and
// is neither unspecified (nobody can dial 0.0.0.0) nor multicast, nor an IPv4 address in the
// clothes of IPv6, which would give one server two names; loopback is fine.
//
// What comes from a registry is untrusted: the rule keeps host names, leading zeros and everything
// that is not an address away from the dialer.
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
	var buf [64]byte
	switch addr := ap.Addr(); {
	case addr.Zone() != "": // first: a zone can hold anything, and is not repeated
		return "an address with a zone means nothing on another host"
	case string(ap.AppendTo(buf[:0])) != s:
		return "not in canonical form, which is " + ap.String()
	case ap.Port() == 0:
		return "port 0 cannot be dialled"
	case addr.Is4In6():
		return "an IPv4 address has no second form"
	case addr.IsUnspecified():
		return "an unspecified address cannot be dialled"
	case addr.IsMulticast():
		return "a multicast address cannot be dialled"
	}
	return ""
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
		case field == 0 && (n == 0 || n >= 224): // 0.0.0.0 and multicast are among these
			return false
		default:
			field, n, digits = field+1, 0, 0
		}
	}
	return field == len(separators) && n > 0
}
