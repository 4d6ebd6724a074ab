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
	Hosts  []Host // of the schemes file and dns there may be none
	Path   string // "" or begins with /
	Keys   map[string]string
}

// A Host is one host of a Target.
type Host struct {
	Name string // without brackets
	Port uint16 // 0 when left out
}

var (
	errUserPart = errors.New("user part: credentials do not belong in a target")
	errNoScheme = errors.New("no scheme before ://")
	errPath     = errors.New("all hosts stand before the one path, with commas between them")
)

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
		return t, errNoScheme
	}
	if !isWord(scheme) {
		return t, fmt.Errorf("scheme %.64q: want lower-case letters and digits before ://",
			withoutUser(scheme))
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

// checkPath refuses what no path needs and many a misspelt list of hosts has.
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
		h, err := parseHost(host)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
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
	if errors.Is(err, errNoScheme) {
		if meant, ok := s.meant(target); ok {
			return nil, fmt.Errorf("target %.200q: %w; did you mean %.200s?", target, errNoScheme, meant)
		}
	}
	if err != nil {
		return nil, err
	}
	open, ok := s[t.Scheme]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(s)), ", ")
		return nil, fmt.Errorf("target %.200q: unknown scheme %q; known are %s", target, t.Scheme, known)
	}
	return open(t)
}

// meant returns the target of a known scheme that text, which has none, may stand for: the one whose
// usual port it has, or else the first of the usual ones.
func (s Schemes) meant(text string) (Target, bool) {
	usual := []struct {
		scheme, port string
	}{{"etcd", "2379"}, {"dns", "53"}, {"zk", "2181"}, {"zk", ""}, {"etcd", ""}, {"dns", ""}, {"fixed", ""}}
	for _, u := range usual {
		t, err := ParseTarget(u.scheme + "://" + text)
		if s[u.scheme] != nil && err == nil && (u.port == "" || t.hasPort(u.port)) {
			return t, true
		}
	}
	return Target{}, false
}

// hasPort reports whether a host has just that port.
func (t Target) hasPort(port string) bool {
	return slices.ContainsFunc(t.Hosts, func(h Host) bool { return strconv.Itoa(int(h.Port)) == port })
}
