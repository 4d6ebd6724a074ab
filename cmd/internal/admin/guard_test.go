package admin

import (
	"net/http"
	"strings"
	"testing"
)

// Profiles are for loopback peers: as the connection says it, and not what a header says.
func TestProfilesAreForLoopback(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{})
	for _, test := range []struct {
		peer, header, value string
		code                int
	}{
		{"127.0.0.1:4711", "", "", 200},
		{"127.8.8.8:4711", "", "", 200},
		{"[::1]:4711", "", "", 200},
		{"[::ffff:127.0.0.1]:4711", "", "", 200},
		{"192.0.2.1:4711", "", "", 403},
		{"[2001:db8::1]:4711", "", "", 403},
		{"[::ffff:192.0.2.1]:4711", "", "", 403},
		{"", "", "", 403},
		{"@", "", "", 403},
		{"192.0.2.1:4711", "X-Forwarded-For", "127.0.0.1", 403},
		{"192.0.2.1:4711", "X-Real-Ip", "127.0.0.1", 403},
		{"192.0.2.1:4711", "Forwarded", "for=127.0.0.1", 403},
		{"127.0.0.1:4711", "X-Forwarded-For", "192.0.2.1", 200},
		{"127.0.0.1:4711", "Sec-Fetch-Site", "none", 200},
		{"127.0.0.1:4711", "Sec-Fetch-Site", "same-origin", 200},
		{"127.0.0.1:4711", "Sec-Fetch-Site", "cross-site", 403},
		{"127.0.0.1:4711", "Sec-Fetch-Site", "same-site", 403},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline",
			"/debug/pprof/symbol", "/debug/pprof/profile?seconds=x",
			"/debug/pprof/trace?seconds=x"} {
			if test.code == 200 && path[len(path)-1] == 'x' {
				continue // which would take its time
			}
			r := ask(s, "GET", path, header(test.header, test.value),
				func(r *http.Request) { r.RemoteAddr = test.peer })
			if r.StatusCode != test.code {
				t.Errorf("%+v, %s: have %s", test, path, r.Status)
			}
		}
	}
}

// The page answers under names of this host alone; health and metrics under every name.
func TestNames(t *testing.T) {
	s := newServer(t.Context(), "admin.example.com:9867", Config{})
	for host, known := range map[string]bool{
		"127.0.0.1:9867": true, "192.0.2.1": true, "[2001:db8::1]:9867": true, "[::1]": true,
		"localhost:9867": true, "LOCALHOST": true, "daytime.localhost:1": true,
		strings.ToUpper(s.host) + ":9867": true,
		"admin.example.com:9867":          true, "admin.example.com.:9867": true, "": true,
		"evil.example:9867": false, "127.0.0.1.evil.example": false,
		"localhost.evil.example": false,
		s.host + ".evil.example": false, "notlocalhost": false, ":9867": false, "[]:1": false,
		"a b": false,
	} {
		for path, code := range map[string]int{"/": 421, "/sections": 421, "/debug/pprof/": 421,
			"/livez": 200, "/readyz": 503} {
			if known && code == 421 {
				code = 200
			}
			if r := ask(s, "GET", path,
				func(r *http.Request) { r.Host = host }); r.StatusCode != code {
				t.Errorf("%q, %s: want %d, have %s", host, path, code, r.Status)
			}
		}
	}
	if newGuard(":1", "").knows("x") {
		t.Error("want no name known to a host without one")
	}
}
