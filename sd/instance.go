package sd

import (
	"fmt"

	"example.com/daytime/sd/internal/instance"
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
	if reason := instance.Refuse(s); reason != "" {
		return fmt.Errorf("instance %.64q: %s; "+
			"want a canonical ip:port such as 192.0.2.1:8897 or [2001:db8::1]:8897", s, reason)
	}
	return nil
}
