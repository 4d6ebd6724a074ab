package policy

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
)

// What a weight can be.
const (
	DefaultWeight = 100 // of an instance that does not say one
	MaxWeight     = 1000
)

// An Entry is an instance with its attributes.
type Entry struct {
	Instance   string // a canonical ip:port
	Attributes Attributes
}

// Attributes are what a server says of itself. The zero value says nothing.
type Attributes struct {
	Weight *int              // 0 to [MaxWeight]; nil: [DefaultWeight]
	Zone   string            // "": none
	Tags   map[string]string // such as version=2.1; never changed once it is handed over
	Since  time.Time         // when it was registered; zero: unknown
}

// EffectiveWeight is the weight as long as no policy replaces it. One that is out of range is
// not believed, and is [DefaultWeight].
func (a Attributes) EffectiveWeight() int {
	if a.Weight == nil || CheckWeight(*a.Weight) != nil {
		return DefaultWeight
	}
	return *a.Weight
}

// Equal reports whether a and b say the same. A weight that is unsaid equals the default.
func (a Attributes) Equal(b Attributes) bool {
	return a.EffectiveWeight() == b.EffectiveWeight() && a.Zone == b.Zone &&
		a.Since.Equal(b.Since) && maps.Equal(a.Tags, b.Tags)
}

// Valid returns the attributes without those that break the rules of [CheckWeight], [CheckZone] and
// [CheckTag], and without a Since that JSON cannot hold, which is RFC 3339 and ends with the year
// 9999. An error names each of these. It is for what comes from a registry, where one wrong attribute
// must not cost the others. It shares the map of tags with a if all of them are valid.
func (a Attributes) Valid() (Attributes, error) {
	var errs []error
	if a.Weight != nil {
		if err := CheckWeight(*a.Weight); err != nil {
			a.Weight, errs = nil, append(errs, err)
		}
	}
	if a.Zone != "" {
		if err := CheckZone(a.Zone); err != nil {
			a.Zone, errs = "", append(errs, err)
		}
	}
	if y := a.Since.UTC().Year(); y < 0 || y > 9999 {
		a.Since, errs = time.Time{}, append(errs, fmt.Errorf("policy: since year %d: want 0 to 9999", y))
	}
	bad := len(errs)
	for key, value := range a.Tags {
		if err := CheckTag(key, value); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > bad {
		a.Tags = maps.Clone(a.Tags)
		maps.DeleteFunc(a.Tags, func(k, v string) bool { return CheckTag(k, v) != nil })
	}
	return a, errors.Join(errs...)
}

// CheckWeight returns nil if n can be a weight, which is 0 to [MaxWeight].
func CheckWeight(n int) error {
	if n < 0 || n > MaxWeight {
		return fmt.Errorf("policy: weight %d: want 0 to %d", n, MaxWeight)
	}
	return nil
}

// CheckZone returns nil if zone can be the name of a zone: printable characters without blanks,
// quotes and equals signs, and not empty.
func CheckZone(zone string) error {
	if cause := refuseZone(zone); cause != "" {
		return fmt.Errorf("policy: zone %.64q: %s", zone, cause)
	}
	return nil
}

// CheckTag returns nil if key=value can be a tag. A key is a lower-case letter, followed by
// lower-case letters, digits and the characters . _ - and is none of zone, weight, until, by and
// reason, which mean something else in a policy. A value is printable characters without blanks
// and quotes, and not empty.
func CheckTag(key, value string) error {
	if cause := refuseKey(key); cause != "" {
		return fmt.Errorf("policy: tag %.64q: %s", key, cause)
	}
	if cause := refuseValue(value); cause != "" {
		return fmt.Errorf("policy: tag %.64s=%.64q: %s", key, value, cause)
	}
	return nil
}

// refuseKey says why key is not the key of a tag, or nothing.
func refuseKey(key string) string {
	switch key {
	case "zone", "weight", "until", "by", "reason":
		return "this key is reserved"
	case "":
		return "a tag needs a key"
	}
	for i, c := range []byte(key) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && !strings.ContainsRune("._-", rune(c))) {
			return "want a key such as version: a lower-case letter, then also digits . _ -"
		}
	}
	return ""
}

// refuseValue says why value is not the value of a tag, or nothing.
func refuseValue(value string) string {
	if value == "" {
		return "the value is empty"
	}
	if strings.ContainsAny(value, "\"'`") {
		return "a value has no quotes"
	}
	if strings.ContainsAny(value, " \t") {
		return "a value has no blanks"
	}
	if i := unprintable(value); i >= 0 {
		return fmt.Sprintf("a value has printable characters only, not %+.1q", value[i:])
	}
	return ""
}

// unprintable is the place of the first character that is neither printable nor a tab, or -1.
// Control characters and marks of direction would make a terminal show something else than what
// is written; U+FFFD stands where an encoding has gone wrong.
func unprintable(s string) int {
	return strings.IndexFunc(s, func(c rune) bool {
		return c != '\t' && (c == unicode.ReplacementChar || !unicode.IsPrint(c))
	})
}

// refuseZone says why zone is not the name of a zone, or nothing.
func refuseZone(zone string) string {
	if strings.Contains(zone, "=") {
		return "the name of a zone has no ="
	}
	return refuseValue(zone)
}
