package form

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const whole = `{"host":"192.0.2.1","port":8897,"name":"go_servers","id":"192.0.2.1:8897",` +
	`"address":"192.0.2.1","serviceEndpoint":{"host":"192.0.2.1","port":8897},` +
	`"weight":50,"zone":"eu-1","boot":"b","process":7,"start":"2026-02-22T12:00:00Z"}`

// What other programs read is compared with the node's name.
func Example() {
	f := Parse("192.0.2.1:8897", []byte(`{"host":"192.0.2.9","port":8897,"weight":5000}`))
	fmt.Println(f.Elsewhere)
	fmt.Println(f.Missing)
	fmt.Println(f.Unknown)
	// Output:
	// 192.0.2.9:8897
	// [address id serviceEndpoint]
	// policy: weight 5000: want 0 to 1000
}

func TestParse(t *testing.T) {
	replace := func(from, to string) string { return strings.Replace(whole, from, to, 1) }
	for name, c := range map[string]struct {
		data string
		ok   func(Form) bool
	}{
		"whole": {whole, func(f Form) bool {
			return !f.Empty && f.Wrong == "" && f.Missing == nil && f.Elsewhere == "" &&
				f.Unknown == nil &&
				f.Boot == "b" && f.Process == 7 && f.Start.Year() == 2026 &&
				*f.Attributes.Weight == 50
		}},
		"empty":            {"", func(f Form) bool { return f.Empty }},
		"no JSON":          {"up", func(f Form) bool { return f.Wrong != "" }},
		"a list":           {"[]", func(f Form) bool { return f.Wrong != "" }},
		"something behind": {whole + "x", func(f Form) bool { return f.Wrong != "" }},
		"another kind":     {`{"host":1}`, func(f Form) bool { return f.Wrong != "" }},
		"huge": {strings.Repeat(" ", maxSize+1),
			func(f Form) bool { return f.Wrong != "" }},
		"port as text": {replace(`"port":8897`, `"port":"http"`),
			func(f Form) bool { return f.Elsewhere == "192.0.2.1:\"http\"" }},
		"another host": {replace(`"host":"192.0.2.1"`, `"host":"192.0.2.2"`),
			func(f Form) bool { return f.Elsewhere == "192.0.2.2:8897" }},
		"another id": {replace(`"id":"192.0.2.1:8897"`, `"id":"192.0.2.3:1"`),
			func(f Form) bool { return f.Elsewhere == "192.0.2.3:1" }},
		"an id of its own": {replace(`"id":"192.0.2.1:8897"`, `"id":"a-uuid"`),
			func(f Form) bool { return f.Elsewhere == "" }},
		"another endpoint": {replace(`{"host":"192.0.2.1","port":8897}`,
			`{"host":"192.0.2.1","port":1}`),
			func(f Form) bool { return f.Elsewhere == "192.0.2.1:1" }},
		"a zone with blanks": {replace("eu-1", "eu 1"),
			func(f Form) bool { return f.Unknown != nil && f.Attributes.Zone == "" }},
		"a weight in words": {replace("50", `"50"`), func(f Form) bool {
			return f.Unknown != nil &&
				f.Attributes.Weight == nil
		}},
	} {
		if f := Parse("192.0.2.1:8897", []byte(c.data)); !c.ok(f) {
			t.Errorf("%s: have %+v", name, f)
		}
	}
	six := strings.NewReplacer("192.0.2.1:8897", "[2001:db8::1]:8897", "192.0.2.1",
		"2001:db8::1").Replace(whole)
	if f := Parse("[2001:db8::1]:8897", []byte(six)); f.Elsewhere != "" || f.Missing != nil {
		t.Errorf("IPv6: have %+v", f)
	}
}

// Any data is read, and what is believed is allowed.
func FuzzParse(f *testing.F) {
	for _, data := range []string{whole, "", "{}", "[]", `{"weight":-1,"tags":{"a b":""}}`} {
		f.Add("192.0.2.1:8897", []byte(data))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		have := Parse(name, data)
		if _, err := have.Attributes.Valid(); err != nil {
			t.Errorf("%q: %v", data, err)
		}
		if !slices.IsSorted(have.Missing) {
			t.Errorf("%q: want the keys in order, have %q", data, have.Missing)
		}
	})
}
