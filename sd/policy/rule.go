package policy

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Verb is what a rule does. The order of the constants is the order of evaluation.
type Verb int

// The verbs.
const (
	Zone Verb = iota
	Drain
	Withdraw
	Share
	Weight
	numVerbs int = iota
)

// String is the verb as it stands in a document.
func (v Verb) String() string {
	return [numVerbs]string{"zone", "drain", "withdraw", "share", "weight"}[v]
}

// parseVerb reads a verb.
func parseVerb(s string) (Verb, bool) {
	for v := range Verb(numVerbs) {
		if v.String() == s {
			return v, true
		}
	}
	return 0, false
}

// wholeShare is 100 % in basis points.
const wholeShare = 10_000

// A Rule is a line that says something.
type Rule struct {
	Line     int // its number in its document, from 1; 0 outside of one
	Verb     Verb
	Selector Selector       // of all verbs but Zone
	Zone     string         // of Zone: the name that the instances in Prefixes get
	Prefixes []netip.Prefix // of Zone
	Weight   int            // of Weight: 0 to [MaxWeight]
	Share    int            // of Share: in basis points, 100 to a percent
	Until    time.Time      // from here on it matches nothing; zero: it holds for ever
	By       string         // who wrote it
	Reason   string         // why
}

// Expired reports whether the rule matches nothing any more at now.
func (r Rule) Expired(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// String is the rule as a line in canonical form, without an end of line.
func (r Rule) String() string {
	b := []string{r.Verb.String()}
	switch r.Verb {
	case Zone:
		b = append(b, r.Zone)
		for _, p := range r.Prefixes {
			b = append(b, p.String())
		}
	case Weight:
		b = append(b, r.Selector.String(), strconv.Itoa(r.Weight))
	case Share:
		b = append(b, r.Selector.String(), formatShare(r.Share))
	default:
		b = append(b, r.Selector.String())
	}
	if !r.Until.IsZero() {
		b = append(b, "until="+r.Until.UTC().Format(time.RFC3339Nano))
	}
	if r.By != "" {
		b = append(b, "by="+quote(r.By))
	}
	if r.Reason != "" {
		b = append(b, "reason="+quote(r.Reason))
	}
	return strings.Join(b, " ")
}

// matches reports whether r selects an instance at address a with these tags, in this zone.
func (r Rule) matches(a netip.AddrPort, zone string, tags map[string]string) bool {
	if r.Verb != Zone {
		return r.Selector.matches(a, zone, tags)
	}
	for _, p := range r.Prefixes {
		if p.Contains(a.Addr()) {
			return true
		}
	}
	return false
}

// sameSubject reports whether r and o do the same thing to the same instances, so that one of
// them replaces the other.
func (r Rule) sameSubject(o Rule) bool {
	return r.Verb == o.Verb && r.Selector == o.Selector && r.Zone == o.Zone
}

// overlaps reports whether some instance could match both.
func (r Rule) overlaps(o Rule) bool {
	if r.Verb != Zone {
		return r.Selector.overlaps(o.Selector)
	}
	for _, p := range r.Prefixes {
		for _, q := range o.Prefixes {
			if p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}

// formatShare prints basis points as a percentage.
func formatShare(points int) string {
	return strconv.FormatFloat(float64(points)/100, 'f', -1, 64) + "%"
}

// parseShare reads a percentage of at most two decimals, in basis points.
func parseShare(s string) (int, bool) {
	number, isPercent := strings.CutSuffix(s, "%")
	percent, err := strconv.ParseFloat(number, 64)
	points := math.Round(100 * percent)
	isPlain := err == nil && strings.Trim(number, "0123456789.") == ""
	isExact := math.Abs(points-100*percent) < 1e-6
	return int(points), isPercent && isPlain && isExact && percent <= 100
}

// parseNumber reads a number of 0 to most, which is written without a sign or leading zeros.
func parseNumber(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= most && strconv.Itoa(n) == s
}

// ParseUntil reads the end of a rule as a person gives it in a command: a duration from now,
// such as 2h, or a time in RFC 3339. It is after now, and in whole seconds.
func ParseUntil(s string, now time.Time) (time.Time, error) {
	const longest = math.MaxInt64 / int64(time.Hour)
	t, err := time.Parse(time.RFC3339, s)
	if d, errDuration := time.ParseDuration(s); errDuration == nil {
		t, err = now.Add(d), nil
	} else if isTooLong(s) {
		return time.Time{}, fmt.Errorf("policy: until %.64q: too long: want %dh at most, or a "+
			"time such as 2026-12-01T06:00:00Z", s, longest)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("policy: until %.64q: want a duration such as 2h or a time "+
			"such as 2026-12-01T06:00:00Z", s)
	}
	if t = t.UTC().Truncate(time.Second); !t.After(now) {
		return time.Time{}, fmt.Errorf("policy: until %.64q: want a time in the future", s)
	}
	return t, nil
}

// isTooLong reports whether a text that is no duration would be one if its numbers were smaller.
func isTooLong(s string) bool {
	_, err := time.ParseDuration(regexp.MustCompile(`\d+`).ReplaceAllString(s, "1"))
	return err == nil && s[0] != '-'
}
