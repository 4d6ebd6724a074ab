package shell

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// CheckListen wants an address to listen on: a host that can be looked up, and a numeric port, for
// which no file of names is needed.
func CheckListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	switch {
	case err != nil:
		return fmt.Errorf("address %q: want host:port, such as 127.0.0.1:8897, :8897 or [::1]:0", s)
	case host == "*":
		return fmt.Errorf("address %q: want %q for all addresses of this host", s, ":"+port)
	case !isHost(host):
		return fmt.Errorf("address %q: host %q: want a name, an address, or nothing for all addresses",
			s, host)
	}
	return nil
}

// isHost reports whether host is nothing, an address, or a name: letters, digits, - and _ with dots
// between. A name does not end in a number, which is a mistyped address (RFC 1123, section 2.1).
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}
