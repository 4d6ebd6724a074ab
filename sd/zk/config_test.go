package zk

import (
	"context"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/internal/watch"
)

// A targetConfig is the part of a config that a table compares.
type targetConfig struct {
	hosts   []string
	parent  string
	timeout time.Duration
	watch   watch.Mode
}

// Everything that a target leaves out has a default.
func TestParseConfig(t *testing.T) {
	const host = "a.example.com:2181"
	for text, want := range map[string]targetConfig{
		"zk://a.example.com":                         {hosts: []string{host}, parent: "/go_servers", timeout: 10 * time.Second, watch: watch.Auto},
		"zk://a.example.com/":                        {hosts: []string{host}, parent: "/go_servers", timeout: 10 * time.Second, watch: watch.Auto},
		"zk://a.example.com/x/y":                     {hosts: []string{host}, parent: "/x/y", timeout: 10 * time.Second, watch: watch.Auto},
		"zk://a.example.com:1?session-timeout=1m30s": {hosts: []string{"a.example.com:1"}, parent: "/go_servers", timeout: 90 * time.Second, watch: watch.Auto},
		"zk://a.example.com/x?watch=children":        {hosts: []string{host}, parent: "/x", timeout: 10 * time.Second, watch: watch.Children},
		"zk://a.example.com/zookeeperx":              {hosts: []string{host}, parent: "/zookeeperx", timeout: 10 * time.Second, watch: watch.Auto},
		"zk://a.example.com?session-timeout=1s&watch=persistent": {hosts: []string{host}, parent: "/go_servers",
			timeout: time.Second, watch: watch.Persistent},
		"zk://[::1],192.0.2.1:21810,b": {hosts: []string{"[::1]:2181", "192.0.2.1:21810", "b:2181"}, parent: "/go_servers",
			timeout: 10 * time.Second, watch: watch.Auto},
	} {
		have, err := parseConfig(sdtest.Target(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if !slices.Equal(have.session.Hosts, want.hosts) || have.directory.Parent != want.parent || have.session.Timeout != want.timeout || have.directory.Mode != want.watch {
			t.Errorf("%s: want %+v, have %+v", text, want, have)
		}
	}
}

// Two spellings of one registry are one target, for a snapshot for instance.
func TestTargetIsFull(t *testing.T) {
	for _, text := range []string{"zk://a", "zk://a/", "zk://a:2181", "zk://a/go_servers/?session-timeout=4s", "zk://a:2181/go_servers"} {
		b, err := OpenBackend(sdtest.Target(t, text), Dial(func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }))
		if err != nil {
			t.Fatal(err)
		}
		if have := b.Target().String(); have != "zk://a:2181/go_servers" {
			t.Errorf("%s: want zk://a:2181/go_servers, have %s", text, have)
		}
		b.Close()
	}
}

// Every error names the part that is wrong and says what is allowed there, and no more than that.
func TestParseConfigErrors(t *testing.T) {
	for query, part := range map[string]string{
		"?session-timeout=10":          `session-timeout "10"`,
		"?session-timeout=0s":          `session-timeout "0s"`,
		"?session-timeout=-4s":         `session-timeout "-4s"`,
		"?session-timeout=999ms":       `session-timeout "999ms"`,
		"?session-timeout=1h1ns":       `session-timeout "1h1ns"`,
		"?session-timeout=ten":         `session-timeout "ten"`,
		"?session-timeout=9999999h":    `session-timeout "9999999h"`,
		"?watch=never":                 `watch "never"`,
		"?watch=Auto":                  `watch "Auto"`,
		"?policy=no":                   `policy "no"`,
		"?timeout=4s":                  `key "timeout"`,
		"/a//":                         `path "/a//"`,
		"/a//b":                        `path "/a//b"`,
		"//":                           `path "//"`,
		"/a/./b":                       `path "/a/./b"`,
		"/a/../b":                      `path "/a/../b"`,
		"/..":                          `path "/.."`,
		"/zookeeper":                   `path "/zookeeper"`,
		"/zookeeper/quota":             `path "/zookeeper/quota"`,
		"/zookeeper?watch=x&timeout=4": `path "/zookeeper"`,
	} {
		_, err := parseConfig(sdtest.Target(t, "zk://a.example.com"+query))
		if err == nil {
			t.Errorf("%s: want an error that names %s, have none", query, part)
			continue
		}
		for _, want := range []string{part, "want ", "zk://a.example.com"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want an error with %s, have %v", query, want, err)
			}
		}
		if len(err.Error()) > 250 {
			t.Errorf("%s: want a short error, have %v", query, err)
		}
	}
	_, err := parseConfig(sdtest.Target(t, "zk://a.example.com/a//?watch=x&timeout=4"))
	for _, part := range []string{`path "/a//"`, `watch "x"`, `key "timeout"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("several errors: want %s among them, have %v", part, err)
		}
	}
}

// A Target that nobody parsed is not trusted either.
func TestOpenBackendRefuses(t *testing.T) {
	for name, target := range map[string]sd.Target{
		"no host": {Scheme: "zk"},
		"a mark":  {Scheme: "zk", Hosts: []sd.Host{{Name: "a"}}, Path: "/%once/a"},
		"no path": {Scheme: "zk", Hosts: []sd.Host{{Name: "a"}}, Path: "a"},
		"hosts":   {Scheme: "zk", Hosts: []sd.Host{{Name: "a"}}, Path: "/a,b:2181/a"},
		"a blank": {Scheme: "zk", Hosts: []sd.Host{{Name: "a"}}, Path: "/a b"},
	} {
		b, err := OpenBackend(target, Dial(func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }))
		if err == nil {
			b.Close()
			t.Errorf("%s: want an error, have none", name)
		}
	}
}

// FuzzParseConfig reads anything that is a target: an accepted path is one that ZooKeeper takes, in
// its one spelling, and comes out the same again.
func FuzzParseConfig(f *testing.F) {
	for _, text := range []string{"zk://a", "zk://a,b:1/x/y?watch=auto", "zk://[::1]/..", "zk://a//", "zk://a/zookeeper", "zk://a?session-timeout=4s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := sd.ParseTarget(text)
		if err != nil {
			return
		}
		c, err := parseConfig(target)
		if err != nil {
			if !strings.Contains(err.Error(), "want ") {
				t.Errorf("%q: nothing that is allowed in %v", text, err)
			}
			return
		}
		if path.Clean(c.directory.Parent) != c.directory.Parent || c.directory.Parent[0] != '/' || len(c.directory.Parent) < 2 || strings.HasPrefix(c.directory.Parent+"/", "/zookeeper/") {
			t.Errorf("%q: path %q", text, c.directory.Parent)
		}
		if c.session.Timeout < minTimeout || c.session.Timeout > maxTimeout || len(c.session.Hosts) != len(target.Hosts) {
			t.Errorf("%q: %+v", text, c)
		}
		if strings.HasPrefix(c.directory.Parent, "/%") { // package session's
			t.Errorf("%q: path %q begins with a mark", text, c.directory.Parent)
		}
		again, err := parseConfig(sdtest.Target(t, target.String()))
		if err != nil || again.directory.Parent != c.directory.Parent || !slices.Equal(again.session.Hosts, c.session.Hosts) {
			t.Errorf("%q: read again: %+v, %v", text, again, err)
		}
	})
}

func TestSecurityOfTarget(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("user:password"), 0o600); err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]string{
		"auth-file=" + file:                     "",
		"acl=open":                              "",
		"acl=open&auth-file=" + file:            "",
		"acl=creator&auth-file=" + file:         "",
		"acl=creator":                           "want auth-file or tls-cert",
		"acl=creator&tls-ca=" + file:            "want auth-file or tls-cert",
		"acl=closed":                            "want open or creator",
		"tls-cert=/a&tls-key=/b":                "want tls-ca",
		"tls-ca=/a&tls-cert=/b":                 "want both",
		"tls-ca=/a&tls-key=/b":                  "want both",
		"password=open":                         `key "password"`,
		"auth-file=" + dir:                      "regular file",
		"auth-file=" + file + "x":               "no such file",
		"tls-ca=" + file + "x":                  "tls-ca: open",
		"tls-ca=" + file:                        "no certificate",
		"tls-ca=/dev/null&auth-file=/dev/null":  "auth-file /dev/null",
		"tls-ca=/a&tls-cert=/b&tls-key=/c%2f/d": "escape",
	} {
		parsed, err := sd.ParseTarget("zk://127.0.0.1:1/path/to?" + keys)
		if err == nil {
			var b *Backend
			if b, err = OpenBackend(parsed); err == nil {
				b.Close()
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: want %q, have %v", keys, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "user:") {
			t.Errorf("%s: want no secret, have %v", keys, err)
		}
	}
}

// A tool from below is told what a Backend would do.
func TestSessionOf(t *testing.T) {
	how, directory, err := SessionOf(sdtest.Target(t, "zk://a.example.com,b.example.com:1?session-timeout=4s"))
	if err != nil || directory != "/go_servers" || how.Timeout != 4*time.Second ||
		!slices.Equal(how.Hosts, []string{"a.example.com:2181", "b.example.com:1"}) {
		t.Errorf("have %+v, %q, %v", how, directory, err)
	}
	if _, _, err := SessionOf(sdtest.Target(t, "zk://a.example.com?acl=x")); err == nil {
		t.Error("want a wrong target refused")
	}
}
