package file

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []instance
	}{
		"lines": {
			"# rack 7\n\n192.0.2.1:8897 weight=50\tzone=a version=2.1 # gone soon\r\n" + carol + "\n",
			[]instance{{alice, labels{"weight": "50", "zone": "a", "version": "2.1"}}, {carol, nil}},
		},
		"nobody":       {"# nobody\n", nil},
		"nobody, JSON": {" [\n] ", nil},
		"twice": {
			alice + " zone=a\n" + bob + "\n" + alice + " zone=b\n",
			[]instance{{alice, labels{"zone": "a"}}, {bob, nil}},
		},
		"key twice":   {alice + " zone=a zone=b zone\n", []instance{{alice, labels{"zone": "a"}}}},
		"no instance": {alice + "\nexample.com:80\n", []instance{{alice, nil}, {"example.com:80", nil}}},
		"JSON": {
			`[{"targets":["192.0.2.1:8897","192.0.2.2:8897"],"labels":{"zone":"a","__meta":"x"}},
			{"targets":["[2001:db8::3]:8897"]}]`,
			[]instance{{alice, labels{"zone": "a"}}, {bob, labels{"zone": "a"}}, {carol, nil}},
		},
	} {
		have, err := parse([]byte(test.text))
		if err != nil || len(have) != len(test.want) {
			t.Errorf("%s: want %v, have %v, %v", name, test.want, have, err)
			continue
		}
		for n := range have {
			if have[n].name != test.want[n].name || !maps.Equal(have[n].labels, test.want[n].labels) {
				t.Errorf("%s: want %v, have %v", name, test.want[n], have[n])
			}
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
		seen := map[string]bool{}
		for _, i := range have {
			if seen[i.name] {
				t.Fatalf("want each name once, have %q twice", i.name)
			}
			seen[i.name] = true
			for key := range i.labels {
				if strings.HasPrefix(key, "__") && isJSON(text) {
					t.Fatalf("want no label with __, have %q", key)
				}
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
