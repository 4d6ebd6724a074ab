package document

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	defaultPath = "/go_servers"
	alice       = "192.0.2.1:8897"
)

// A server that is started again finds the node of the process before it.
func Example() {
	before := Identity{Boot: "b5a1ce3f", Process: 4711}
	data := before.Document("/go_servers", "192.0.2.1:8897", time.UnixMilli(1767323045000))
	fmt.Println(string(data))

	now := Identity{Boot: "b5a1ce3f", Process: 4712}
	fmt.Println(now.IsPredecessor(data, "192.0.2.1:8897", 0x1234))
	elsewhere := Identity{Boot: "2c0f33aa", Process: 4712}
	fmt.Println(elsewhere.IsPredecessor(data, "192.0.2.1:8897", 0x1234))
	// Output:
	// {"host":"192.0.2.1","port":8897,"name":"go_servers","id":"192.0.2.1:8897","address":"192.0.2.1","serviceType":"DYNAMIC","registrationTimeUTC":1767323045000,"serviceEndpoint":{"host":"192.0.2.1","port":8897},"additionalEndpoints":{},"status":"ALIVE","boot":"b5a1ce3f","process":4711,"start":"0001-01-01T00:00:00Z"}
	// true
	// false
}

// A predecessor's node is what this host wrote for the same address, in today's form or the first one.
// When in doubt it is somebody else's.
func TestIsPredecessor(t *testing.T) {
	us := Identity{Boot: "boot", Process: 7, Start: time.Unix(0, 0)}
	document := func(id Identity) string { return string(id.Document(defaultPath, alice, time.Now())) }
	claim := func(id Identity, session int64) string {
		return string(id.Claim(nil, []byte(document(id)), session))
	}
	for name, c := range map[string]struct {
		us   Identity
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
		"we have no boot":    {Identity{}, `{"boot":"","id":"192.0.2.1:8897"}`, false},
		"no boot, and boot":  {Identity{}, document(us), false},
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
		"first form, empty host":    {Identity{}, `{"host":"","address":"192.0.2.1:8897"}`, false},
		"first form, other address": {us, `{"host":"boot","address":"192.0.2.2:8897"}`, false},
	} {
		if have := c.us.IsPredecessor([]byte(c.data), alice, 7); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

// The data of a node is a JSON document in which several kinds of programs find what they look for.
func TestDocument(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	us := Identity{Boot: "boot", Process: 7, Start: start}
	for instance, want := range map[string]string{
		alice: `{"host":"192.0.2.1","port":8897,"name":"go_servers","id":"192.0.2.1:8897","address":"192.0.2.1","serviceType":"DYNAMIC",` +
			`"registrationTimeUTC":1767323045000,"serviceEndpoint":{"host":"192.0.2.1","port":8897},"additionalEndpoints":{},"status":"ALIVE",` +
			`"boot":"boot","process":7,"start":"2026-01-02T03:04:05Z"}`,
		"[2001:db8::1]:13": `{"host":"2001:db8::1","port":13,"name":"go_servers","id":"[2001:db8::1]:13","address":"2001:db8::1","serviceType":"DYNAMIC",` +
			`"registrationTimeUTC":1767323045000,"serviceEndpoint":{"host":"2001:db8::1","port":13},"additionalEndpoints":{},"status":"ALIVE",` +
			`"boot":"boot","process":7,"start":"2026-01-02T03:04:05Z"}`,
	} {
		if have := string(us.Document("/deep/go_servers", instance, start)); have != want {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	if us := NewIdentity(); us.Process != os.Getpid() || us.Boot != bootID() {
		t.Errorf("want this process, have %+v", us)
	}
}

// A claim changes the keys of the identity, and no other, whoever wrote them.
func TestClaim(t *testing.T) {
	us := Identity{Boot: "boot", Process: 7, Start: time.Unix(0, 0).UTC()}
	own := us.Document(defaultPath, alice, time.Unix(0, 0))
	id := `"boot":"boot","claims":9,"process":7,"start":"1970-01-01T00:00:00Z"`
	for data, want := range map[string]string{
		`{"boot":"boot","id":"x","process":6,"weight":3,"tags":{"a":"b"},"claims":8}`: `{` + strings.Replace(id, `,"process"`, `,"id":"x","process"`, 1) + `,"tags":{"a":"b"},"weight":3}`,
		`{"boot":"other"}`: `{` + id + `}`,
	} {
		if have := string(us.Claim([]byte(data), own, 9)); have != want {
			t.Errorf("%s: want %s, have %s", data, want, have)
		}
	}
	for _, data := range []string{"", "hello", "[]", "null", `{"host":"boot","address":"192.0.2.1:8897"}`, `{"boot":null}x`} {
		have := us.Claim([]byte(data), own, 9)
		var back document
		if err := json.Unmarshal(have, &back); err != nil || back.ID != alice || back.Port != 8897 || back.Claims != 9 {
			t.Errorf("%s: want our own document, have %s, %v", data, have, err)
		}
	}
}

func FuzzIsPredecessor(f *testing.F) {
	us := Identity{Boot: "boot", Process: 7}
	own := us.Document(defaultPath, alice, time.Unix(0, 0))
	f.Add(own)
	f.Add([]byte(`{"host":"boot","address":"192.0.2.1:8897"}`))
	f.Add([]byte(`{"boot":"boot"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if us.IsPredecessor(data, alice, 7) && !(strings.Contains(string(data), "boot") || strings.Contains(string(data), `\u`)) {
			t.Errorf("%q is not a predecessor's", data)
		}
		if (Identity{}).IsPredecessor(data, alice, 7) {
			t.Errorf("%q: without a boot id nothing is ours", data)
		}
		if claim := us.Claim(data, own, 7); us.IsPredecessor(data, alice, 7) && !us.IsPredecessor(claim, alice, 7) {
			t.Errorf("%q: claimed it is not a predecessor's: %q", data, claim)
		}
	})
}
