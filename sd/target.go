package sd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/daytime/sd/internal/target"
)

// targetGrammar is part of every error of ParseTarget.
const targetGrammar = "scheme://host[:port][,host[:port]...][/path][?key=value[&key=value...]]"

// A Target says where a registry is. Its text form is
//
//	scheme://host[:port][,host[:port]...][/path][?key=value[&key=value...]]
//
// where a host is a name, an IPv4 address, or an IPv6 address in brackets. A part that is left out
// stays empty here: the opener of the scheme knows the defaults, the keys, and the paths it allows.
// There is no user part, because secrets do not belong where ps shows them, and no escaping with %.
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

// ParseTarget reads the text form of a Target. Its errors name the part that is wrong, and the
// grammar.
func ParseTarget(text string) (Target, error) {
	parsed, err := target.Parse(text)
	if err != nil {
		return Target{}, fmt.Errorf("target %.200q: %w; want %s", target.WithoutUser(text), err,
			targetGrammar)
	}
	return targetOf(parsed), nil
}

func targetOf(parsed target.Target) Target {
	t := Target{Scheme: parsed.Scheme, Path: parsed.Path, Keys: parsed.Keys}
	for _, h := range parsed.Hosts {
		t.Hosts = append(t.Hosts, Host(h))
	}
	return t
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
func (h Host) String() string { return target.Host(h).String() }

// Schemes says which kinds of registry a program knows: it maps a scheme to the function that opens
// such a backend. Every main holds its own literal.
type Schemes map[string]func(Target) (Backend, error)

// Open parses text and opens it with the function of its scheme. Opening does not wait for the
// registry.
func (s Schemes) Open(text string) (Backend, error) {
	t, err := ParseTarget(text)
	if errors.Is(err, target.ErrNoScheme) {
		if meant, ok := target.Meant(text, slices.Sorted(maps.Keys(s))); ok {
			return nil, fmt.Errorf("target %.200q: %w; did you mean %.200s?", text,
				target.ErrNoScheme, targetOf(meant))
		}
	}
	if err != nil {
		return nil, err
	}
	open, ok := s[t.Scheme]
	if !ok && len(s) == 0 {
		return nil, fmt.Errorf("target %.200q: unknown scheme %q; none is known", text, t.Scheme)
	}
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(s)), ", ")
		return nil, fmt.Errorf("target %.200q: unknown scheme %q; known are %s", text, t.Scheme,
			known)
	}
	return open(t)
}
