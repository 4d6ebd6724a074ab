package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"example.com/daytime/sd/policy"
)

// ErrTooLong is of a document that is not read.
var ErrTooLong = fmt.Errorf("document over %d bytes", MaxSize)

// Parse reads a document. Data that is no JSON object is a stranger's, and says nothing: that is no
// error. In one that is an object each attribute stands for itself: those that are wrong are left
// out, and the error, which is about attributes alone, names them.
func Parse(data []byte) (Record, error) {
	if len(data) > MaxSize {
		return Record{}, ErrTooLong
	}
	if r, ok := scan(data); ok {
		return r, nil
	}
	return parseAny(data)
}

// parseAny reads a document of any form, by encoding/json.
func parseAny(data []byte) (Record, error) {
	var r Record
	var d map[string]json.RawMessage
	if json.Unmarshal(data, &d) != nil {
		return r, nil
	}
	r.Owner, r.Instance = ownerIn(d)
	_ = value(d, "name", &r.Service)
	_ = value(d, "claims", &r.Claims)
	_ = value(d, "leaving", &r.Leaving)
	attributes, err := attributesIn(d)
	var invalid error
	r.Attributes, invalid = attributes.Valid()
	return r, errors.Join(err, invalid)
}

// ownerIn reads whose entry it is, and of which instance. The first form of the document had the
// boot id under host, and ip:port under address.
func ownerIn(d map[string]json.RawMessage) (o Owner, instance string) {
	_ = value(d, "process", &o.Process)
	_ = value(d, "start", &o.Start)
	if !canBeWritten(o.Start) {
		o.Start = time.Time{}
	}
	if value(d, "boot", &o.Boot) != nil {
		o.Boot = ""
	}
	_ = value(d, "id", &instance)
	var address string
	_, hasID := d["id"]
	_, hasBoot := d["boot"]
	if !hasID && !hasBoot && value(d, "address", &address) == nil {
		if _, err := netip.ParseAddrPort(address); err == nil {
			_ = value(d, "host", &o.Boot)
			return o, address
		}
	}
	return o, instance
}

// canBeWritten reports whether Encode can write a time that was read: the year of one with an offset
// may be beyond 9999 in UTC.
func canBeWritten(t time.Time) bool { return t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 }

// attributesIn reads the attributes, and says which are of the wrong type.
func attributesIn(d map[string]json.RawMessage) (a policy.Attributes, err error) {
	err = errors.Join(
		value(d, "weight", &a.Weight),
		value(d, "zone", &a.Zone),
		value(d, "tags", &a.Tags))
	var n int64
	_ = value(d, "registrationTimeUTC", &n)
	a.Since = since(n)
	return a, err
}

// since is a time in milliseconds, if it says one.
func since(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// value reads one key into v, which stays as it is if the key is missing, and is the zero value if
// it is of another type.
func value[T any](d map[string]json.RawMessage, key string, v *T) error {
	text, present := d[key]
	if !present {
		return nil
	}
	var read T
	if err := json.Unmarshal(text, &read); err != nil {
		return fmt.Errorf("%s %.64q: %w", key, text, err)
	}
	*v = read
	return nil
}
