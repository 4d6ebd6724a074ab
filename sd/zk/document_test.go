package zk

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// A predecessor's node is what this host wrote for the same address, in today's form or the first one.
// When in doubt it is somebody else's.
func TestIsPredecessor(t *testing.T) {
	us := identity{Boot: "boot", Process: 7, Start: time.Unix(0, 0)}
	document := func(id identity) string { return string(id.document(defaultPath, alice, time.Now())) }
	claim := func(id identity, session int64) string {
		return string(id.claim(nil, []byte(document(id)), session))
	}
	for name, c := range map[string]struct {
		us   identity
		data string
		want bool
	}{
		"our own":            {us, document(us), true},
		"another process":    {us, `{"boot":"boot","id":"192.0.2.1:8897","process":99}`, true},
		"less is enough":     {us, `{"boot":"boot","id":"192.0.2.1:8897"}`, true},
		"more is fine":       {us, `{"boot":"boot","id":"192.0.2.1:8897","weight":3,"port":"http"}`, true},
		"claimed, and it is": {us, claim(us, 7), true},
		"claim of another":   {us, claim(us, 8), false},
		"another host":       {us, `{"boot":"other","id":"192.0.2.1:8897"}`, false},
		"another address":    {us, `{"boot":"boot","id":"192.0.2.2:8897"}`, false},
		"another form":       {us, `{"boot":"boot","address":"192.0.2.1:8897"}`, false},
		"no address":         {us, `{"boot":"boot"}`, false},
		"no boot":            {us, `{"id":"192.0.2.1:8897"}`, false},
		"empty boot":         {us, `{"boot":"","id":"192.0.2.1:8897"}`, false},
		"we have no boot":    {identity{}, `{"boot":"","id":"192.0.2.1:8897"}`, false},
		"no boot, and boot":  {identity{}, document(us), false},
		"other programs'":    {us, `{"host":"192.0.2.1","port":8897,"address":"192.0.2.1"}`, false},
		"empty":              {us, ``, false},
		"null":               {us, `null`, false},
		"text":               {us, `hello`, false},
		"list":               {us, `[]`, false},
		"number for boot":    {us, `{"boot":1,"id":"192.0.2.1:8897"}`, false},
		"something after it": {us, document(us) + "x", false},
		"huge":               {us, strings.Repeat("[", 1<<20), false},
		"go-kit's data":      {us, alice, false},

		"first form":                {us, `{"host":"boot","address":"192.0.2.1:8897","process":99,"start":"2026-01-02T03:04:05Z"}`, true},
		"first form, claimed":       {us, `{"host":"boot","address":"192.0.2.1:8897","claims":7}`, true},
		"first form, of another":    {us, `{"host":"boot","address":"192.0.2.1:8897","claims":8}`, false},
		"first form, another host":  {us, `{"host":"other","address":"192.0.2.1:8897"}`, false},
		"first form, no host":       {us, `{"address":"192.0.2.1:8897"}`, false},
		"first form, empty host":    {identity{}, `{"host":"","address":"192.0.2.1:8897"}`, false},
		"first form, other address": {us, `{"host":"boot","address":"192.0.2.2:8897"}`, false},
	} {
		if have := c.us.isPredecessor([]byte(c.data), alice, 7); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

// The data of a node is a JSON document in which several kinds of programs find what they look for.
func TestDocument(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	us := identity{Boot: "boot", Process: 7, Start: start}
	for instance, want := range map[string]string{
		alice: `{"host":"192.0.2.1","port":8897,"name":"go_servers","id":"192.0.2.1:8897","address":"192.0.2.1","serviceType":"DYNAMIC",` +
			`"registrationTimeUTC":1767323045000,"serviceEndpoint":{"host":"192.0.2.1","port":8897},"additionalEndpoints":{},"status":"ALIVE",` +
			`"boot":"boot","process":7,"start":"2026-01-02T03:04:05Z"}`,
		"[2001:db8::1]:13": `{"host":"2001:db8::1","port":13,"name":"go_servers","id":"[2001:db8::1]:13","address":"2001:db8::1","serviceType":"DYNAMIC",` +
			`"registrationTimeUTC":1767323045000,"serviceEndpoint":{"host":"2001:db8::1","port":13},"additionalEndpoints":{},"status":"ALIVE",` +
			`"boot":"boot","process":7,"start":"2026-01-02T03:04:05Z"}`,
	} {
		if have := string(us.document("/deep/go_servers", instance, start)); have != want {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	if us := newIdentity(); us.Process != os.Getpid() || us.Boot != bootID() {
		t.Errorf("want this process, have %+v", us)
	}
}

// A claim changes the keys of the identity, and no other, whoever wrote them.
func TestClaim(t *testing.T) {
	us := identity{Boot: "boot", Process: 7, Start: time.Unix(0, 0).UTC()}
	own := us.document(defaultPath, alice, time.Unix(0, 0))
	id := `"boot":"boot","claims":9,"process":7,"start":"1970-01-01T00:00:00Z"`
	for data, want := range map[string]string{
		`{"boot":"boot","id":"x","process":6,"weight":3,"tags":{"a":"b"},"claims":8}`: `{` + strings.Replace(id, `,"process"`, `,"id":"x","process"`, 1) + `,"tags":{"a":"b"},"weight":3}`,
		`{"boot":"other"}`: `{` + id + `}`,
	} {
		if have := string(us.claim([]byte(data), own, 9)); have != want {
			t.Errorf("%s: want %s, have %s", data, want, have)
		}
	}
	for _, data := range []string{"", "hello", "[]", "null", `{"host":"boot","address":"192.0.2.1:8897"}`, `{"boot":null}x`} {
		have := us.claim([]byte(data), own, 9)
		var back document
		if err := json.Unmarshal(have, &back); err != nil || back.ID != alice || back.Port != 8897 || back.Claims != 9 {
			t.Errorf("%s: want our own document, have %s, %v", data, have, err)
		}
	}
}

func TestIsEphemeral(t *testing.T) {
	if isEphemeral(&gozk.Stat{}) || !isEphemeral(&gozk.Stat{EphemeralOwner: 1}) || !isEphemeral(&gozk.Stat{EphemeralOwner: -1}) {
		t.Error("want a node ephemeral if it has an owner, whatever its number")
	}
}

func FuzzIsPredecessor(f *testing.F) {
	us := identity{Boot: "boot", Process: 7}
	own := us.document(defaultPath, alice, time.Unix(0, 0))
	f.Add(own)
	f.Add([]byte(`{"host":"boot","address":"192.0.2.1:8897"}`))
	f.Add([]byte(`{"boot":"boot"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if us.isPredecessor(data, alice, 7) && !(strings.Contains(string(data), "boot") || strings.Contains(string(data), `\u`)) {
			t.Errorf("%q is not a predecessor's", data)
		}
		if (identity{}).isPredecessor(data, alice, 7) {
			t.Errorf("%q: without a boot id nothing is ours", data)
		}
		if claim := us.claim(data, own, 7); us.isPredecessor(data, alice, 7) && !us.isPredecessor(claim, alice, 7) {
			t.Errorf("%q: claimed it is not a predecessor's: %q", data, claim)
		}
	})
}
