package record_test

import (
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/internal/record"
)

var us = record.Owner{Boot: "boot", Process: 7, Start: time.Unix(0, 0).UTC()}

func own() []byte { return record.Record{Instance: instance, Owner: us}.Encode() }

// A predecessor's entry is what this host wrote for the same address, in today's form or the first
// one. When in doubt it is somebody else's.
func TestIsPredecessor(t *testing.T) {
	text := string(own())
	claim := func(session int64) string { return string(us.Claim(nil, own(), session)) }
	for name, c := range map[string]struct {
		us   record.Owner
		data string
		want bool
	}{
		"our own":            {us, text, true},
		"another process":    {us, `{"boot":"boot","id":"192.0.2.1:8897","process":99}`, true},
		"less is enough":     {us, `{"boot":"boot","id":"192.0.2.1:8897"}`, true},
		"more is fine":       {us, `{"boot":"boot","id":"192.0.2.1:8897","weight":"3","port":"http"}`, true},
		"claimed, and it is": {us, claim(7), true},
		"claim of another":   {us, claim(8), false},
		"another host":       {us, `{"boot":"other","id":"192.0.2.1:8897"}`, false},
		"another address":    {us, `{"boot":"boot","id":"192.0.2.2:8897"}`, false},
		"another form":       {us, `{"boot":"boot","address":"192.0.2.1:8897"}`, false},
		"no address":         {us, `{"boot":"boot"}`, false},
		"no boot":            {us, `{"id":"192.0.2.1:8897"}`, false},
		"empty boot":         {us, `{"boot":"","id":"192.0.2.1:8897"}`, false},
		"we have no boot":    {record.Owner{}, `{"boot":"","id":"192.0.2.1:8897"}`, false},
		"no boot, and boot":  {record.Owner{}, text, false},
		"other programs'":    {us, `{"host":"192.0.2.1","port":8897,"address":"192.0.2.1"}`, false},
		"empty":              {us, ``, false},
		"null":               {us, `null`, false},
		"list":               {us, `[]`, false},
		"number for boot":    {us, `{"boot":1,"id":"192.0.2.1:8897"}`, false},
		"something after it": {us, text + "x", false},
		"huge":               {us, strings.Repeat("[", 1<<20), false},
		"go-kit's data":      {us, instance, false},

		"first form":                {us, `{"host":"boot","address":"192.0.2.1:8897","process":99}`, true},
		"first form, claimed":       {us, `{"host":"boot","address":"192.0.2.1:8897","claims":7}`, true},
		"first form, of another":    {us, `{"host":"boot","address":"192.0.2.1:8897","claims":8}`, false},
		"first form, another host":  {us, `{"host":"other","address":"192.0.2.1:8897"}`, false},
		"first form, no host":       {us, `{"address":"192.0.2.1:8897"}`, false},
		"first form, empty host":    {record.Owner{}, `{"host":"","address":"192.0.2.1:8897"}`, false},
		"first form, other address": {us, `{"host":"boot","address":"192.0.2.2:8897"}`, false},
	} {
		r, _ := record.Parse([]byte(c.data))
		if have := r.IsPredecessor(c.us, instance, 7); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

// A claim changes the keys of the owner, and no other, whoever wrote them.
func TestClaim(t *testing.T) {
	id := `"boot":"boot","claims":9,"process":7,"start":"1970-01-01T00:00:00Z"`
	for data, want := range map[string]string{
		`{"boot":"boot","id":"x","process":6,"weight":3,"tags":{"a":"b"},"claims":8}`: `{` +
			strings.Replace(id, `,"process"`, `,"id":"x","process"`, 1) +
			`,"tags":{"a":"b"},"weight":3}`,
		`{"boot":"other"}`: `{` + id + `}`,
	} {
		if have := string(us.Claim([]byte(data), own(), 9)); have != want {
			t.Errorf("%s: want %s, have %s", data, want, have)
		}
	}
	for _, data := range []string{"", "hello", "[]", "null",
		`{"host":"boot","address":"192.0.2.1:8897"}`, `{"boot":null}x`} {
		have := us.Claim([]byte(data), own(), 9)
		if r, err := record.Parse(have); err != nil || r.Instance != instance || r.Claims != 9 {
			t.Errorf("%s: want our own document, have %s, %v", data, have, err)
		}
	}
}

// Our own document is ours, claimed or not, and with other attributes it is not.
func TestIsClaimOf(t *testing.T) {
	weight := 3
	other := record.Record{Instance: instance, Owner: us}
	other.Attributes.Weight = &weight
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"own":                  {own(), true},
		"claim":                {us.Claim(own(), own(), 7), true},
		"claim of another":     {us.Claim(own(), own(), 8), false},
		"other attributes":     {other.Encode(), false},
		"claim, with those":    {us.Claim(other.Encode(), own(), 7), false},
		"nothing":              {nil, false},
		"another host's claim": {record.Owner{Boot: "b"}.Claim(own(), own(), 7), false},
	} {
		if have := us.IsClaimOf(c.data, own(), 7); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

func FuzzClaim(f *testing.F) {
	f.Add(own())
	f.Add([]byte(`{"host":"boot","address":"192.0.2.1:8897"}`))
	f.Add([]byte(`{"boot":"boot"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _ := record.Parse(data)
		if r.IsPredecessor(record.Owner{}, instance, 7) {
			t.Errorf("%q: without a boot id nothing is ours", data)
		}
		if !r.IsPredecessor(us, instance, 7) {
			return
		}
		if claim, _ := record.Parse(us.Claim(data, own(), 7)); !claim.IsPredecessor(us, instance, 7) {
			t.Errorf("%q: claimed it is not a predecessor's", data)
		}
	})
}
