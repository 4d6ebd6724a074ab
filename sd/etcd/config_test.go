package etcd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/sdtest"
)

func TestWrongTargets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for text, want := range map[string]string{
		"etcd://a/b//c":                                          "no //",
		"etcd://a//":                                             "no //",
		"etcd://a/b/../c":                                        "..",
		"etcd://a?ttl=1":                                         "ttl",
		"etcd://a?ttl=500ms":                                     "ttl",
		"etcd://a?ttl=1500ms":                                    "ttl",
		"etcd://a?ttl=2h":                                        "ttl",
		"etcd://a?session-timeout=10s":                           "key",
		"etcd://a?tls-cert=x&tls-key=y":                          "tls-ca",
		"etcd://a?tls-ca=x&tls-cert=y":                           "both or none",
		"etcd://a?tls-ca=" + dir + "/none":                       "tls-ca",
		"etcd://a?tls-ca=" + file("ca", "", 0o600):               "no certificate",
		"etcd://a?auth-file=" + dir + "/none":                    "auth-file",
		"etcd://a?auth-file=" + dir:                              "regular file",
		"etcd://a?auth-file=" + file("open", "u:p", 0o644):       "0640",
		"etcd://a?auth-file=" + file("word", "u", 0o600):         "user:password",
		"etcd://a?auth-file=" + file("bom", "\ufeffu:p", 0o600):  "byte order mark",
		"etcd://a?auth-file=" + file("two", "u:p\nv:q\n", 0o600): "one line",
	} {
		_, err := etcd.Open(sdtest.Target(t, text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "v:q") {
			t.Errorf("%s: want an error with %q, have %v", text, want, err)
		}
	}
	for _, path := range []string{"/a,b:2379/c", "/a b", "/a#b"} { // which sd refuses as well
		if _, err := etcd.Open(sd.Target{Scheme: "etcd", Hosts: []sd.Host{{Name: "a"}}, Path: path}); err == nil {
			t.Errorf("path %q: want an error, have none", path)
		}
	}
}

// Opening waits for nothing, and what is wrong with the cluster is said.
func TestNobodyAnswers(t *testing.T) {
	var b *etcd.Backend
	fastest := time.Hour // of several: a busy machine may delay one
	for range 5 {
		began := time.Now()
		b = open(t, "etcd://127.0.0.1:1,nowhere.invalid")
		fastest = min(fastest, time.Since(began))
	}
	if fastest > 100*time.Millisecond {
		t.Errorf("want it open at once, have %v at best", fastest)
	}
	err := b.Watch(t.Context(), sd.Want{}, nil)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1: connect: connection refused") {
		t.Errorf("want the refused connection said, have %v", err)
	}
	t.Log(err)
}
