package policy_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The instances of most tests.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "[2001:db8::3]:8897"
)

var now = time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)

// document parses lines below a header.
func document(t testing.TB, lines ...string) policy.Document {
	t.Helper()
	return parse(t, policy.Header+"\n"+strings.Join(append(lines, ""), "\n"))
}

func parse(t testing.TB, data string) policy.Document {
	t.Helper()
	d, err := policy.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rule parses one line.
func rule(t testing.TB, text string) policy.Rule {
	t.Helper()
	d := document(t, text)
	if p := d.Problems(now); len(p) > 0 {
		t.Fatal(p[0])
	}
	return d.Rules()[0]
}

func selector(t testing.TB, s string) policy.Selector {
	t.Helper()
	sel, err := policy.ParseSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

// entry is an instance with tags and a zone, such as "zone=a version=2".
func entry(name, attributes string) policy.Entry {
	e := policy.Entry{Instance: name, Attributes: policy.Attributes{Tags: map[string]string{}}}
	for _, pair := range strings.Fields(attributes) {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "zone":
			e.Attributes.Zone = value
		default:
			e.Attributes.Tags[key] = value
		}
	}
	return e
}

func equal[T any](t testing.TB, what string, want, have T) {
	t.Helper()
	if !reflect.DeepEqual(want, have) {
		t.Errorf("%s:\nwant %v\nhave %v", what, want, have)
	}
}
