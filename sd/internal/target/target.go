// Package target reads and writes the text of a target: scheme://host[:port],.../path?key=value&...
// Package sd says what that is for, and gives it its types.
package target

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Target is what a text says.
type Target struct {
	Scheme string
	Hosts  []Host
	Path   string
	Keys   map[string]string
}

// A Host is one host of a Target.
type Host struct {
	Name string
	Port uint16
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

// Text is the text of a target, keys in alphabetical order.
func Text[H fmt.Stringer](scheme string, hosts []H, path string, keys map[string]string) string {
	var b strings.Builder
	b.WriteString(scheme + "://")
	for n, h := range hosts {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(h.String())
	}
	b.WriteString(path)
	for n, key := range slices.Sorted(maps.Keys(keys)) {
		b.WriteByte("?&"[min(n, 1)])
		b.WriteString(key + "=" + keys[key])
	}
	return b.String()
}

// ErrNoScheme is of a text that has no scheme, and may be the rest of a target.
var ErrNoScheme = errors.New("no scheme before ://")

var (
	errUserPart = errors.New("user part: credentials do not belong in a target")
	errPath     = errors.New("all hosts stand before the one path, with commas between them")
)

// WithoutUser is text as it may be shown: what stands before an @ may be a secret.
func WithoutUser(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "***" + text[at:]
	}
	return text
}

// Parse reads the text of a target. Its errors name the part that is wrong.
func Parse(text string) (t Target, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	beforeKeys, query, hasQuery := strings.Cut(rest, "?")
	hosts, path, hasPath := strings.Cut(beforeKeys, "/")
	if err := checkPath(path, strings.Contains(text, "@")); err != nil {
		return t, err
	}
	if err := checkCharacters(text); err != nil {
		return t, err
	}
	if !found {
		return t, ErrNoScheme
	}
	if !isWord(scheme) {
		return t, fmt.Errorf("scheme %.64q: want lower-case letters and digits before ://",
			WithoutUser(scheme))
	}
	t.Scheme = scheme
	t.Hosts, err = parseHosts(hosts, hasPath && mayLackHost(scheme))
	if err != nil && strings.Contains(rest, "@") { // a secret, which a slash may have cut in two
		err = errUserPart
	}
	if err != nil {
		return t, err
	}
	if hasPath {
		t.Path = "/" + path
		if n := len(t.Path); n > 2 && t.Path[n-1] == '/' && t.Path[n-2] != '/' {
			t.Path = t.Path[:n-1]
		}
	}
	if hasQuery {
		t.Keys, err = parseKeys(query)
	}
	return t, err
}

// checkPath refuses characters that no path needs, and that misspelt lists of hosts have.
func checkPath(path string, mayHoldSecret bool) error {
	at := strings.IndexAny(path, ",;# \t")
	if at < 0 {
		return nil
	}
	if mayHoldSecret {
		return fmt.Errorf("character %q in the path: %w", path[at], errPath)
	}
	return fmt.Errorf("character %q in the path %.200q: %w", path[at], "/"+path, errPath)
}

func checkCharacters(text string) error {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f {
			return fmt.Errorf("character %q: only printable ASCII is allowed", c)
		}
	}
	if strings.Contains(text, "%") {
		return fmt.Errorf("escape %q: there is no escaping", "%")
	}
	return nil
}

// mayLackHost reports whether a target of the scheme may begin with its path: file:///path is of
// this host, and dns:///name of the resolver that the host is set up with.
func mayLackHost(scheme string) bool { return scheme == "file" || scheme == "dns" }

// parseHosts reads host[:port],...
func parseHosts(text string, mayLack bool) (hosts []Host, err error) {
	if text == "" && mayLack {
		return nil, nil
	}
	if strings.Contains(text, "@") {
		return nil, errUserPart
	}
	for host := range strings.SplitSeq(text, ",") {
		h, err := ParseHost(host)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// ParseHost reads host[:port].
func ParseHost(text string) (h Host, err error) {
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
			return h, fmt.Errorf("host %.64q: an IPv6 address stands in brackets, "+
				"and commas between hosts", text)
		}
		if !isHostName(name) {
			return h, fmt.Errorf("host %.64q: want a host name or an address, "+
				"and commas between hosts", text)
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
			return nil, fmt.Errorf("key %.64q: want key=value, "+
				"the key of letters, digits and -", pair)
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
