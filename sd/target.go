package sd

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// targetGrammar is part of every error of ParseTarget.
const targetGrammar = "scheme://host[:port][,host[:port]...][/path][?key=value[&key=value...]]"

// A Target says where a registry is. Its text form is
//
//	scheme://host[:port][,host[:port]...][/path][?key=value[&key=value...]]
//
// where a host is a name, an IPv4 address, or an IPv6 address in brackets. What is left out stays
// empty here: the opener of the scheme knows the defaults, the keys, and the paths it allows. There
// is no user part, because secrets do not belong where ps shows them, and no escaping with %.
type Target struct {
	Scheme string
	Hosts  []Host
	Path   string // "" or begins with /
	Keys   map[string]string
}

// A Host is one host of a Target.
type Host struct {
	Name string // without brackets
	Port uint16 // 0 when left out
}

var errUserPart = errors.New("user part: credentials do not belong in a target")

// ParseTarget reads the text form of a Target. Its errors name the part that is wrong, and the
// grammar.
func ParseTarget(text string) (Target, error) {
	t, err := parseTarget(text)
	if err != nil {
		return Target{}, fmt.Errorf("target %.200q: %w; want %s", withoutUser(text), err, targetGrammar)
	}
	return t, nil
}

// withoutUser is text as it may be shown: what stands before an @ may be a secret.
func withoutUser(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "***" + text[at:]
	}
	return text
}

func parseTarget(text string) (t Target, err error) {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f {
			return t, fmt.Errorf("character %q: only printable ASCII is allowed", c)
		}
	}
	if strings.Contains(text, "%") {
		return t, fmt.Errorf("escape %q: there is no escaping", "%")
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return t, errors.New("no scheme before ://")
	}
	if !isWord(scheme) {
		return t, fmt.Errorf("scheme %.64q: want letters and digits before ://", withoutUser(scheme))
	}
	mayHoldSecret := strings.Contains(rest, "@")
	rest, query, hasQuery := strings.Cut(rest, "?")
	hosts, path, hasPath := strings.Cut(rest, "/")
	t.Scheme = scheme
	if hasPath {
		t.Path = "/" + path
	}
	if strings.Contains(hosts, "@") {
		return t, errUserPart
	}
	for host := range strings.SplitSeq(hosts, ",") {
		h, err := parseHost(host)
		if err != nil && mayHoldSecret { // which a slash has cut in two
			return t, errUserPart
		}
		if err != nil {
			return t, err
		}
		t.Hosts = append(t.Hosts, h)
	}
	if hasQuery {
		t.Keys, err = parseKeys(query)
	}
	return t, err
}

// parseHost reads host[:port].
func parseHost(text string) (h Host, err error) {
	name, port := text, ""
	hasPort := false
	if strings.HasPrefix(text, "[") {
		inside, after, closed := strings.Cut(text[1:], "]")
		addr, err := netip.ParseAddr(inside)
		if !closed || err != nil || !addr.Is6() { // with a zone it would have a %
			return h, fmt.Errorf("host %.64q: want an IPv6 address in the brackets", text)
		}
		name = inside
		if port, hasPort = strings.CutPrefix(after, ":"); after != "" && !hasPort {
			return h, fmt.Errorf("host %.64q: want nothing or :port after the bracket", text)
		}
	} else {
		name, port, hasPort = strings.Cut(text, ":")
		if strings.Contains(port, ":") {
			return h, fmt.Errorf("host %.64q: an IPv6 address stands in brackets", text)
		}
		if !isHostName(name) {
			return h, fmt.Errorf("host %.64q: want a host name or an address", text)
		}
	}
	h.Name = name
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || port[0] == '0' {
			return h, fmt.Errorf("port %.64q: want a number from 1 to 65535", port)
		}
		h.Port = uint16(n)
	}
	return h, nil
}

// parseKeys reads key=value[&key=value...].
func parseKeys(query string) (map[string]string, error) {
	keys := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, found := strings.Cut(pair, "=")
		switch _, repeated := keys[key]; {
		case !found || !isWord(strings.ReplaceAll(key, "-", "")) || value == "":
			return nil, fmt.Errorf("key %.64q: want key=value, the key of letters, digits and -", pair)
		case repeated:
			return nil, fmt.Errorf("key %.64q: stands twice", key)
		}
		keys[key] = value
	}
	return keys, nil
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// isHostName reports whether s is a name or an IPv4 address: labels with dots between, and perhaps
// one at the end. What ends in a number is an address.
func isHostName(s string) bool {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(s), "."), ".")
	for _, label := range labels {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") != "" {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// String is the text form again, keys in alphabetical order.
func (t Target) String() string {
	var b strings.Builder
	b.WriteString(t.Scheme + "://")
	for n, h := range t.Hosts {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(h.String())
	}
	b.WriteString(t.Path)
	for n, key := range slices.Sorted(maps.Keys(t.Keys)) {
		b.WriteByte("?&"[min(n, 1)])
		b.WriteString(key + "=" + t.Keys[key])
	}
	return b.String()
}

// String is host, or host:port when there is a port, with IPv6 in brackets.
func (h Host) String() string {
	name := h.Name
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if h.Port == 0 {
		return name
	}
	return name + ":" + strconv.Itoa(int(h.Port))
}

// Schemes says which kinds of registry a program knows: it maps a scheme to the function that opens
// such a backend. Every main holds its own literal.
type Schemes map[string]func(Target) (Backend, error)

// Open parses target and opens it with the function of its scheme. Opening does not wait for the
// registry.
func (s Schemes) Open(target string) (Backend, error) {
	t, err := ParseTarget(target)
	if err != nil {
		return nil, err
	}
	open, ok := s[t.Scheme]
	if !ok {
		known := slices.Sorted(maps.Keys(s))
		return nil, fmt.Errorf("target %.200q: unknown scheme %q; known are %s", target, t.Scheme, strings.Join(known, ", "))
	}
	return open(t)
}
