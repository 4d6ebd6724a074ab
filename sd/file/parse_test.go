package file

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"example.com/daytime/sd/policy"
)

func TestParse(t *testing.T) {
	entry := func(name, zone string) policy.Entry {
		return policy.Entry{Instance: name, Attributes: policy.Attributes{Zone: zone}}
	}
	weight := 50
	full := policy.Entry{Instance: alice, Attributes: policy.Attributes{
		Weight: &weight, Zone: "a", Tags: map[string]string{"version": "2.1"},
	}}
	for name, test := range map[string]struct {
		text string
		want list
	}{
		"lines": {
			"# rack 7\n\n192.0.2.1:8897 weight=50\tzone=a version=2.1 # gone soon\r\n" + carol + "\n",
			list{entries: []policy.Entry{full, entry(carol, "")}},
		},
		"nobody":       {"# nobody\n", list{}},
		"nobody, JSON": {" [\n] ", list{}},
		"wrong attributes": {
			alice + " zone=a weight=1001\n" + bob + " zone=a zone=b\n" + carol + " drained\n",
			list{
				[]policy.Entry{entry(alice, "a"), entry(bob, "a"), entry(carol, "")},
				[]string{alice, bob, carol},
			},
		},
		"no instance": {
			alice + "\nexample.com:80\n",
			list{entries: []policy.Entry{entry(alice, ""), entry("example.com:80", "")}},
		},
		"JSON": {
			`[{"targets":["192.0.2.1:8897","192.0.2.2:8897"],"labels":{"zone":"a","__meta":"x"}},
			{"targets":["[2001:db8::3]:8897"]}]`,
			list{entries: []policy.Entry{entry(alice, "a"), entry(bob, "a"), entry(carol, "")}},
		},
	} {
		have, err := parse([]byte(test.text))
		if err != nil || !reflect.DeepEqual(have, test.want) {
			t.Errorf("%s: want %+v, have %+v, %v", name, test.want, have, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		text string
		want error // nil: any
	}{
		{"", errEmpty},
		{"\ufeff" + alice + "\n", errMark},
		{alice + "\n\xff\n", errUTF8},
		{alice, errNewline},
		{"[", nil},
		{`[{"targets":["192.0.2.1:8897"]}`, nil},
		{`[{"targets":"192.0.2.1:8897"}]`, nil},
		{"example.com:80\n", nil},
	} {
		have, err := parse([]byte(test.text))
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%q: want %v, have %v, %v", test.text, test.want, have, err)
		}
	}
}

// No beginning of a file is a smaller set: it is no set, or it ends with a whole line.
func TestParseBeginnings(t *testing.T) {
	text := alice + " zone=a\n" + bob + "\n"
	for n := range len(text) {
		have, err := parse([]byte(text[:n]))
		if err == nil && text[n-1] != '\n' {
			t.Errorf("%q: want an error, have %v", text[:n], have)
		}
	}
	json := `[{"targets":["192.0.2.1:8897","192.0.2.2:8897"]}]`
	for n := range len(json) {
		if have, err := parse([]byte(json[:n])); err == nil {
			t.Errorf("%q: want an error, have %v", json[:n], have)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "[]", alice + " weight=1 #\n", `[{"targets":["a"],"labels":{"b":"c"}}]`, "[::1]:1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		have, err := parse(text)
		again, errAgain := parse(text)
		if !reflect.DeepEqual(have, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("want the same twice, have %v, %v and %v, %v", have, err, again, errAgain)
		}
		for _, e := range have.entries {
			if _, wrong := e.Attributes.Valid(); wrong != nil {
				t.Fatalf("want valid attributes, have %v", wrong)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&text, "192.0.%d.%d:8897 weight=50 zone=eu-1a version=2.1\n", n/250, n%250+1)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := parse([]byte(text.String())); err != nil {
			b.Fatal(err)
		}
	}
}
