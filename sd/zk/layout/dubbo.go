package layout

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"example.com/daytime/sd/policy"
)

// maxURL bounds the URL of a provider.
const maxURL = 16 << 10

// Dubbo is that of Dubbo's providers: the name of a node is the provider's URL, escaped. Its weight
// is Dubbo's, by default 100 there as here; one that is disabled is nobody. The protocol, and the
// parameters application, group, version and dubbo.tag, are tags.
func Dubbo() Layout { return Layout{"dubbo", false, readProvider} }

func readProvider(name string, _ []byte) (e policy.Entry, err error) {
	if len(name) > maxURL {
		return e, fmt.Errorf("provider of %d bytes: want %d at most", len(name), maxURL)
	}
	text, err := url.QueryUnescape(name)
	if err != nil {
		return e, fmt.Errorf("provider: %w", err)
	}
	u, err := url.Parse(text)
	if err != nil {
		return e, fmt.Errorf("provider: %w", withoutText(err))
	}
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case err != nil:
		return e, fmt.Errorf("provider: %w", err)
	case isRule(u.Scheme, query):
		return e, fmt.Errorf("%w: %.64q", ErrNobody, u.Scheme)
	case query.Get("disabled") == "true", query.Get("enabled") == "false":
		return e, fmt.Errorf("%w: disabled", ErrNobody)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return e, fmt.Errorf("provider: no port in %.100q", u.Host)
	}
	if e.Instance, err = instance(u.Hostname(), port); err != nil {
		return e, err
	}
	e.Attributes = providerAttributes(u.Scheme, query)
	return e, nil
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
	if ms, err := strconv.ParseInt(query.Get("timestamp"), 10, 64); err == nil && ms > 0 {
		a.Since = time.UnixMilli(ms).UTC()
	}
	tag(&a, "protocol", scheme)
	for _, key := range []string{"application", "group", "version", "dubbo.tag"} {
		tag(&a, key, query.Get(key))
	}
	return a
}

// withoutText is the cause of a url.Error, which repeats the whole URL.
func withoutText(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
