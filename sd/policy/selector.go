package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// What a [Selector] can be, for messages.
const selectorForms = "want an ip:port, an ip, a CIDR, zone=NAME, TAG=VALUE or *"

// A Selector says which instances a rule is about. Two that select by the same thing are equal:
// 192.0.2.1 and 192.0.2.1/32 are. The zero value is no selector and matches nothing.
type Selector struct {
	prefix netip.Prefix // of the address; a single address is a prefix of full length
	port   uint16       // 0: any
	key    string       // of a tag, "zone", or "*" for every instance; "" if by address
	value  string
}

// ParseSelector reads a selector: an ip:port, an ip, a CIDR without bits beyond its length,
// zone=NAME, TAG=VALUE, or * for every instance. An IPv4 address in the form of IPv6 is refused:
// no instance is named so, and the rule would match nobody.
func ParseSelector(s string) (Selector, error) {
	sel, err := parseSelector(s)
	if err != nil {
		return Selector{}, fmt.Errorf("policy: selector %.64q: %w", s, err)
	}
	return sel, nil
}

func parseSelector(s string) (Selector, error) {
	if s == "*" {
		return Selector{key: s}, nil
	}
	if key, value, ok := strings.Cut(s, "="); ok {
		return parsePair(key, value)
	}
	if strings.Contains(s, "/") {
		p, err := parsePrefix(s)
		return Selector{prefix: p}, err
	}
	var port uint16
	addr, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return Selector{}, errors.New(selectorForms)
		}
		addr, port = ap.Addr(), ap.Port()
		if port == 0 {
			return Selector{}, errors.New("no instance has port 0")
		}
	}
	if err := checkAddr(addr); err != nil {
		return Selector{}, err
	}
	return Selector{prefix: netip.PrefixFrom(addr, addr.BitLen()), port: port}, nil
}

func parsePair(key, value string) (Selector, error) {
	cause := ""
	if key == "zone" {
		cause = refuseZone(value)
	} else if cause = refuseKey(key); cause == "" {
		cause = refuseValue(value)
	}
	if cause != "" {
		return Selector{}, errors.New(cause)
	}
	return Selector{key: key, value: value}, nil
}

// parsePrefix reads a CIDR. It refuses one with bits beyond its length: whoever writes
// 192.0.2.1/25 may mean one address or half a network.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, errors.New("not a CIDR such as 192.0.2.0/24 or 2001:db8::/32")
	case p.Addr().Is4In6():
		return p, errors.New("an IPv4 network in the form of IPv6; want it as IPv4")
	case p != p.Masked():
		return p, fmt.Errorf("bits are set beyond the length; want %v, or the address alone",
			p.Masked())
	case p.IsSingleIP():
		return p, checkAddr(p.Addr())
	}
	return p, nil
}

// checkAddr returns an error if no instance can have the address.
func checkAddr(a netip.Addr) error {
	switch {
	case a.Zone() != "":
		return errors.New("an address with a zone means nothing on another host")
	case a.Is4In6():
		return fmt.Errorf("an IPv4 address in the form of IPv6; want %v", a.Unmap())
	case a.IsUnspecified() || a.IsMulticast():
		return errors.New("no instance has this address")
	}
	return nil
}

// String is the selector in canonical form. [ParseSelector] of it gives s again.
func (s Selector) String() string {
	switch {
	case s.key == "*":
		return s.key
	case s.key != "":
		return s.key + "=" + s.value
	case !s.prefix.IsValid():
		return ""
	case s.port != 0:
		return netip.AddrPortFrom(s.prefix.Addr(), s.port).String()
	case s.prefix.IsSingleIP():
		return s.prefix.Addr().String()
	}
	return s.prefix.String()
}

// matches reports whether s selects an instance at address a with these tags, in this zone.
func (s Selector) matches(a netip.AddrPort, zone string, tags map[string]string) bool {
	switch s.key {
	case "":
		return s.prefix.Contains(a.Addr()) && (s.port == 0 || s.port == a.Port())
	case "*":
		return true
	case "zone":
		return s.value == zone
	}
	return s.value == tags[s.key] // which is "" for a tag that is missing, and s.value is not
}

// covers reports whether s matches whatever t matches, by what they say alone.
func (s Selector) covers(t Selector) bool {
	if s == t || s.key == "*" {
		return true
	}
	return s.key == "" && t.key == "" && s.prefix.Overlaps(t.prefix) &&
		s.prefix.Bits() <= t.prefix.Bits() && (s.port == 0 || s.port == t.port)
}

// overlaps reports whether some instance could match both.
func (s Selector) overlaps(t Selector) bool {
	if s.key == "" && t.key == "" {
		return s.prefix.Overlaps(t.prefix) && (s.port == 0 || t.port == 0 || s.port == t.port)
	}
	return s.key != t.key || s.value == t.value
}
