package layout

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"example.com/daytime/sd/policy"
)

// maxURL bounds the URL of a provider.
const maxURL = 16 << 10

// Dubbo is that of Dubbo's providers: the name of a node is the provider's URL, escaped. Its weight
// is Dubbo's, by default 100 there as here; one that is disabled is left out. The protocol, and the
// parameters application, group, version and dubbo.tag, are tags. Providers of one interface that
// differ in group or version stand in one directory.
//
// Since 3.3.1 dubbo-go writes weight=0 for a provider whose weight nobody set. It is read as it
// stands, as dubbo-go's own clients do: where all say 0 calls are spread evenly, but beside servers
// of more weight, such as those of an older dubbo-go, one of weight 0 gets none.
func Dubbo() Layout { return Layout{"dubbo", false, readProvider} }

func readProvider(name string, _ []byte) (e policy.Entry, err error) {
	if len(name) > maxURL {
		return e, fmt.Errorf("URL of %d bytes: want %d at most", len(name), maxURL)
	}
	text, err := url.QueryUnescape(name)
	if err != nil {
		return e, fmt.Errorf("URL: %w", err)
	}
	text, rest, _ := strings.Cut(text, "?")
	scheme, host, port, err := address(text)
	if err != nil {
		return e, fmt.Errorf("URL: %w", err)
	}
	query := parameters(rest)
	switch {
	case isRule(scheme, query):
		return e, fmt.Errorf("%w: %.64q", ErrNobody, scheme)
	case query.Get("disabled") == "true", query.Get("enabled") == "false":
		return e, fmt.Errorf("%w: disabled", ErrNobody)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return e, fmt.Errorf("URL: port %.100q at %.100q: want a number", port, host)
	}
	if e.Instance, err = instance(host, n); err != nil {
		return e, err
	}
	e.Attributes = providerAttributes(scheme, query)
	return e, nil
}

// address takes a URL apart as Dubbo does, which writes an IPv6 address without brackets and a path
// as it is, so that net/url refuses some.
func address(text string) (scheme, host, port string, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return "", "", "", errors.New("want scheme://host:port")
	}
	rest, _, _ = strings.Cut(rest, "/")
	rest = rest[strings.LastIndexByte(rest, '@')+1:] // a user is nobody's business
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		return scheme, rest[:colon], rest[colon+1:], nil
	}
	return scheme, rest, "", nil
}

// parameters reads the parameters of a URL. Neither Dubbo nor dubbo-go since 1.5.4 escapes their
// values before it escapes the URL as a whole, so that they may hold anything but &. Older versions
// of dubbo-go escape them: of such a value %XX is read, but + stays, which is more often part of a
// version such as 2.1+5 than a blank. A value that cannot be unescaped stands for itself. What Dubbo
// 2.6 has for all services of a server is default.KEY, where a service has no KEY of its own.
func parameters(text string) url.Values {
	all := url.Values{}
	for pair := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		all.Add(key, value)
	}
	for key, values := range all {
		if own, found := strings.CutPrefix(key, "default."); found && !all.Has(own) {
			all[own] = values
		}
	}
	return all
}

// isRule reports whether a URL is no provider's: a rule, or the mark of an empty list.
func isRule(scheme string, query url.Values) bool {
	category := query.Get("category")
	return scheme == "override" || scheme == "route" || scheme == "empty" || scheme == "consumer" ||
		category != "" && category != "providers"
}

func providerAttributes(scheme string, query url.Values) (a policy.Attributes) {
	if n, err := strconv.Atoi(query.Get("weight")); err == nil {
		a.Weight = weight(n)
	}
	if n, err := strconv.ParseInt(query.Get("timestamp"), 10, 64); err == nil {
		a.Since = since(n) // Dubbo writes milliseconds, dubbo-go seconds
	}
	tag(&a, "protocol", scheme)
	for _, key := range []string{"application", "group", "version", "dubbo.tag"} {
		tag(&a, key, query.Get(key))
	}
	return a
}
