package sd_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"example.com/daytime/sd"
)

func TestParseTarget(t *testing.T) {
	hosts := func(h ...sd.Host) []sd.Host { return h }
	for text, want := range map[string]sd.Target{
		"zk://127.0.0.1": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "127.0.0.1"})},
		"zk://a:1,b,c:65535": {Scheme: "zk", Hosts: hosts(
			sd.Host{Name: "a", Port: 1}, sd.Host{Name: "b"}, sd.Host{Name: "c", Port: 65535})},
		"zk://[::1]:2181,[2001:db8::1]": {Scheme: "zk", Hosts: hosts(
			sd.Host{Name: "::1", Port: 2181}, sd.Host{Name: "2001:db8::1"})},
		"zk://Zoo-1.example_net/": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "Zoo-1.example_net"}),
			Path: "/"},
		"zk://a/b/c": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "a"}), Path: "/b/c"},
		"zk://a/b//../@c:d=f&": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "a"}),
			Path: "/b//../@c:d=f&"}, // the opener judges paths
		"zk://a/b/": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "a"}), Path: "/b"},
		"zk://a/b:2181/c": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "a"}),
			Path: "/b:2181/c"},
		"file:///var/list": {Scheme: "file", Path: "/var/list"},
		"file://a/var":     {Scheme: "file", Hosts: hosts(sd.Host{Name: "a"}), Path: "/var"},
		"dns:///example.com?k=v": {Scheme: "dns", Path: "/example.com",
			Keys: map[string]string{"k": "v"}},
		"zk://a?session-timeout=10s": {Scheme: "zk", Hosts: hosts(sd.Host{Name: "a"}),
			Keys: map[string]string{"session-timeout": "10s"}},
		"h2://a:1/p?y=/2?=&x=1": {Scheme: "h2", Hosts: hosts(sd.Host{Name: "a", Port: 1}),
			Path: "/p",
			Keys: map[string]string{"x": "1", "y": "/2?="}},
	} {
		have, err := sd.ParseTarget(text)
		if err != nil {
			t.Errorf("%s: want it accepted, have %v", text, err)
		}
		same(t, text, want, have)
	}
}

// Every error names the part that is wrong, quotes the text, and shows the grammar.
func TestParseTargetErrors(t *testing.T) {
	for part, texts := range map[string][]string{
		"no scheme":          {"", "a", "127.0.0.1:2181", "zk:/a"},
		`scheme "`:           {"://a", "ZK://a", "z-k://a", "/zk://a"},
		`character ' '`:      {"zk://a b", " zk://a"},
		`character '\n'`:     {"zk://a\n"},
		`character '\x00'`:   {"zk://a\x00"},
		`character '\u202e'`: {"zk://a/\u202e"},
		`character '\x7f'`:   {"zk://a?k=\x7f"},
		"character '\u00e4'": {"zk://\u00e4"},
		`escape "%"`:         {"zk://a%20b", "zk://a/%2e%2e", "zk://[fe80::1%25eth0]"},
		`user part`:          {"zk://me@a", "zk://me:secret@a:1/p"},
		`host ""`: {"zk://", "zk:///p", "zk://?k=v", "zk://a,", "zk://,a", "zk://a,,b",
			"file://", "dns://?k=v", "file://,/p"},
		// What half of all ZooKeeper users write.
		`character ',' in the path "/svc,b:2181/svc": all hosts stand before the one path`: {"zk://a:2181/svc,b:2181/svc"},
		`character ',' in the path`: {"zk://a/svc,", "zk://a/svc,zk://b/svc", "zk://a/svc, b",
			"zk://a,b/,c", "file:///a,b"},
		`character ';' in the path`:  {"zk://a/svc;b:2181/svc"},
		`character '#' in the path`:  {"zk://a/svc#x", "zk://a/#"},
		`character ' ' in the path`:  {"zk://a/s vc", "zk://a/svc "},
		`character '\t' in the path`: {"zk://a/s\tvc"},
		`commas between hosts`:       {"zk://a;b/svc", "zk://127.0.0.1:1;127.0.0.1:2/svc"},
		`host ":1"`:                  {"zk://:1"},
		`host "-a"`:                  {"zk://-a"},
		`host "a#b"`:                 {"zk://a#b"},
		`host "a[b"`:                 {"zk://a[b"},
		`host "::1"`:                 {"zk://::1"},
		`host "a:1:2"`:               {"zk://a:1:2"},
		`host "[`: {"zk://[", "zk://[]", "zk://[::1", "zk://[::1]a", "zk://[::1]2181",
			"zk://[::1]]",
			"zk://[127.0.0.1]", "zk://[a]:1", "zk://[[::1]]"},
		`port ""`:         {"zk://a:", "zk://[::1]:", "zk://a:/p"},
		`port "0"`:        {"zk://a:0", "zk://[::1]:0"},
		`port "65536"`:    {"zk://a:1,b:65536"},
		`port "02181"`:    {"zk://a:02181"},
		`port "+80"`:      {"zk://a:+80"},
		`port "-1"`:       {"zk://a:-1"},
		`port "0x10"`:     {"zk://a:0x10"},
		`port "1_0"`:      {"zk://a:1_0"},
		`port "zk"`:       {"zk://a:zk"},
		`key "": want`:    {"zk://a?", "zk://a?k=v&", "zk://a?&k=v"},
		`key "k": want`:   {"zk://a?k", "zk://a?k&l=1"},
		`key "k=": want`:  {"zk://a?k="},
		`key "=v": want`:  {"zk://a?=v"},
		`key "k": stands`: {"zk://a?k=1&k=2", "zk://a?k=1&l=1&k=1"},
	} {
		for _, text := range texts {
			have, err := sd.ParseTarget(text)
			if err == nil {
				t.Errorf("%q: want an error about %s, have %+v", text, part, have)
				continue
			}
			for _, want := range []string{part, "scheme://host[:port]"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q: want %s in the error, have %v", text, want, err)
				}
			}
			same(t, "target with the error of "+text, sd.Target{}, have)
			harmless(t, err)
		}
	}
}

// What may be a secret is in no error, and no error is long.
func TestTargetErrorsKeepSecrets(t *testing.T) {
	for _, text := range []string{
		"me:secret@zk.example.com:2181", "zk:/me:secret@a", "zk:me:secret@a", "zk://me:secret/x@a:1", "zk://me:secret?@a:1",
		"zk://me:secret@a",
	} {
		_, err := sd.ParseTarget(text)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: want an error without the secret, have %v", text, err)
		}
	}
	for _, text := range []string{strings.Repeat("a", 1<<20), "zk://" + strings.Repeat("-", 1<<20),
		"zk://a:" + strings.Repeat("1", 1<<20), "zk://a?" + strings.Repeat("k", 1<<20)} {
		_, err := sd.ParseTarget(text)
		if err == nil || len(err.Error()) > 600 {
			t.Errorf("%.10s...: want a short error, have %d bytes", text, len(err.Error()))
		}
	}
}

// String is the one text of a target, with the keys in order.
func TestTargetText(t *testing.T) {
	for text, want := range map[string]string{
		"zk://a":                        "zk://a",
		"zk://a:1,[::1]:2,[::2]/p?k=v":  "zk://a:1,[::1]:2,[::2]/p?k=v",
		"zk://a?z=1&y=2&x=3":            "zk://a?x=3&y=2&z=1",
		"zk://[2001:DB8::1],UPPER.case": "zk://[2001:DB8::1],UPPER.case",
	} {
		have, err := sd.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		same(t, text, want, have.String())
	}
}

// What is accepted comes back from its text as it was.
func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{
		"zk://127.0.0.1:2181/go_servers?session-timeout=10s", "zk://[::1]:1,b", "fixed://a:1,b:2", "zk://a/?x=1&y==?",
		"zk://me@a", "zk://a:0", "://", "zk://[::1%25lo]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := sd.ParseTarget(text)
		if err != nil {
			if !strings.Contains(err.Error(), "target ") {
				t.Errorf("%q: error does not say what it is about: %v", text, err)
			}
			return
		}
		second, err := sd.ParseTarget(first.String())
		if err != nil {
			t.Fatalf("%q: its text %q is not accepted: %v", text, first, err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Errorf("%q: want %+v again, have %+v", text, first, second)
		}
		if have := first.String(); len(first.Keys) < 2 && have != text &&
			have != withoutSlash(text) {
			t.Errorf("%q: text: have %q", text, first)
		}
	})
}

// withoutSlash drops the slash at the end of the path, if it is one.
func withoutSlash(text string) string {
	before, keys, hasKeys := strings.Cut(text, "?")
	before = strings.TrimSuffix(before, "/")
	if hasKeys {
		before += "?" + keys
	}
	return before
}

// What a blank has cut off a target is none, also where one may lack a host; a path whose slashes are
// too few is one.
func TestSchemesOfAPath(t *testing.T) {
	open := func(sd.Target) (sd.Backend, error) { return nil, nil }
	schemes := sd.Schemes{"dns": open, "file": open, "zk": open}
	for _, text := range []string{"/svc", "//svc"} {
		_, err := schemes.Open(text)
		if err == nil || strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%s: want no guess, have %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"file:/etc/servers":                  "file:///etc/servers",
		"file//etc/servers":                  "file:///etc/servers",
		"dns:time.example.com":               "dns:///time.example.com", // gRPC's form
		"dns:/192.0.2.53/a.example.com":      "dns://192.0.2.53/a.example.com",
		"dns//[::1]:53/a.example.com?port=1": "dns://[::1]:53/a.example.com?port=1",
	} {
		_, err := schemes.Open(text)
		if err == nil || !strings.Contains(err.Error(), "did you mean "+want+"?") {
			t.Errorf("%s: want the guess %s, have %v", text, want, err)
		}
	}
}

func TestSchemes(t *testing.T) {
	var opened []sd.Target
	refused := errors.New("refused")
	schemes := sd.Schemes{
		"zk": func(target sd.Target) (sd.Backend,
			error) {
			opened = append(opened, target)
			return nil, refused
		},
		"fixed": sd.OpenFixed,
	}

	b, err := schemes.Open("fixed://" + alice)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := schemes.Open("zk://a/p"); !errors.Is(err, refused) {
		t.Errorf("open: want the opener's error, have %v", err)
	}
	same(t, "what the opener got", []sd.Target{{Scheme: "zk", Hosts: []sd.Host{{Name: "a"}},
		Path: "/p"}}, opened)

	if _, err := (sd.Schemes{}).Open("zk://a"); err == nil || !strings.HasSuffix(err.Error(), `unknown scheme "zk"; none is known`) {
		t.Errorf("open without schemes: have %v", err)
	}
	for text, part := range map[string]string{
		"consul://a":       `unknown scheme "consul"; known are fixed, zk`,
		"ZK://a":           `lower-case`,
		"zk:/a":            "did you mean zk://a?",
		"zk//a:1/p":        "did you mean zk://a:1/p?",
		"zk:2181":          "did you mean zk://zk:2181?", // a host of that name
		"a:2181":           "did you mean zk://a:2181?",
		"a:1,b:2/svc/":     "did you mean zk://a:1,b:2/svc?",
		"a":                "did you mean zk://a?",
		"a:1/svc,b:1":      "no scheme",
		"me:secret@a:1":    "no scheme",
		"a b":              "character",
		"a:2181?x":         "no scheme",
		"[::1]:2181/p?k=v": "did you mean zk://[::1]:2181/p?k=v?",
	} {
		if _, err := schemes.Open(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: want an error with %s, have %v", text, part, err)
		}
	}
}
