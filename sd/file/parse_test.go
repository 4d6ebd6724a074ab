package file

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

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
		"nobody":          {"# nobody\n", list{}},
		"nobody, JSON":    {" [\n] ", list{}},
		"group of nobody": {`[{"targets":[],"labels":{"zone":"a"}}]`, list{}},
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
		{"\n", errEmpty},
		{" \t\r\n\n", errEmpty},
		{"\ufeff" + alice + "\n", errMark},
		{alice + "\n\xff\n", errUTF8},
		{alice, errNewline},
		{"[", nil},
		{`[{"targets":["192.0.2.1:8897"]}`, nil},
		{`[{"targets":"192.0.2.1:8897"}]`, nil},
		{`[{"target":["192.0.2.1:8897"]}]`, nil},
		{`[{"targets":["192.0.2.1:8897"],"zone":"a"}]`, nil},
		{`[{"targets":["192.0.2.1:8897"]},null]`, nil},
		{`[null]`, nil},
		{`[] []`, nil},
		{`[]]`, nil},
		{"example.com:80\n", nil},
	} {
		have, err := parse([]byte(test.text))
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%q: want %v, have %v, %v", test.text, test.want, have, err)
		}
	}
}

// With too many attributes none is read, in a time and in a space that grow with the text alone.
func TestParseBounds(t *testing.T) {
	tags := func(n int, form, between string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(form, i))
		}
		return strings.Join(all, between)
	}
	line := func(n int) string { return alice + " " + tags(n, "t%d=1", " ") + "\n" }
	group := func(names, labels int) string {
		return `[{"targets":[` + tags(names, `"192.0.2.1:%d"`, ",") + `],"labels":{` +
			tags(labels, `"t%d":"1"`, ",") + `}}]`
	}
	for _, test := range []struct {
		name, text              string
		entries, unread, tagsOf int
	}{
		{"line, full", line(maxAttributes), 1, 0, maxAttributes},
		{"line, over", line(maxAttributes + 1), 1, 1, 0},
		{"line, huge", line(1 << 17), 1, 1, 0},
		{"group, full", group(100_000, maxAttributes), 100_000, 0, maxAttributes},
		{"group, over", group(1000, 2000), 1000, 1000, 0},
	} {
		begun := time.Now()
		have, err := parse([]byte(test.text))
		must(t, err)
		first, last := have.entries[0].Attributes, have.entries[len(have.entries)-1].Attributes
		if len(have.entries) != test.entries || len(have.unread) != test.unread ||
			len(last.Tags) != test.tagsOf {
			t.Errorf("%s: want %d entries, %d unread, %d tags, have %d, %d, %d", test.name, test.entries,
				test.unread, test.tagsOf, len(have.entries), len(have.unread), len(last.Tags))
		}
		if reflect.ValueOf(first.Tags).Pointer() != reflect.ValueOf(last.Tags).Pointer() {
			t.Errorf("%s: want the same tags in all of a group, have copies", test.name)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: want it within 5 s, have it after %v", test.name, took)
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
