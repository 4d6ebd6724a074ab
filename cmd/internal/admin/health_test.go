package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
)

// A registry that is down changes what is reported, and not the status.
func TestReadyz(t *testing.T) {
	ctx, withdraw := context.WithCancel(t.Context())
	s := newServer(ctx, ":9867", Config{})
	wantText(t, body(t, ask(s, "GET", "/readyz"), 503), "starting\n")
	s.Show(View{Listeners: listeners})
	wantText(t, body(t, ask(s, "GET", "/readyz"), 503), "starting\n", address(1)+" lost since ")
	s.SetServing()
	const down = "192.0.2.2:8897 lost since "
	text := body(t, ask(s, "GET", "/readyz"), 200)
	wantText(t, text, "ready\n", down, "s) in zk://zk1.example.com,zk2.example.com/go_servers: "+
		"zk: no session", "192.0.2.1:8897 registered since ", "192.0.2.3:8897 withheld since ")

	withdraw()
	wantText(t, body(t, ask(s, "GET", "/readyz"), 503), "withdrawing\n", down)
	s.SetServing()
	wantText(t, body(t, ask(s, "GET", "/readyz"), 503), "withdrawing\n")
	wantText(t, body(t, ask(s, "GET", "/livez"), 200), "alive\n")
}

// A server that breaks withdraws the process, too.
func TestWithdrawing(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{})
	s.SetServing()
	body(t, ask(s, "GET", "/readyz"), 200)
	s.SetWithdrawing()
	s.SetServing() // too late
	wantText(t, body(t, ask(s, "GET", "/readyz"), 503), "withdrawing\n")
}

func TestReadyzJSON(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{})
	s.Show(View{Listeners: listeners})
	s.SetServing()
	r := ask(s, "GET", "/readyz", header("Accept", "application/json"))
	if want, have := "application/json", r.Header.Get("Content-Type"); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
	var have struct {
		Status        string
		Registrations []struct{ Instance, Registry, Phase, Since, Error string }
	}
	if err := json.Unmarshal([]byte(body(t, r, 200)), &have); err != nil {
		t.Fatal(err)
	}
	if have.Status != "ready" || len(have.Registrations) != 3 ||
		have.Registrations[1].Phase != "lost" ||
		have.Registrations[1].Error == "" || have.Registrations[1].Since == "" {
		t.Errorf("have %+v", have)
	}
	text := body(t, ask(newServer(t.Context(), "", Config{}), "GET", "/readyz", header("Accept",
		"application/json")), 503)
	if want := `{"status":"starting","registrations":[]}` + "\n"; text != want {
		t.Errorf("want %s, have %s", want, text)
	}
}

// A client serves nobody, and is never ready for that.
func TestReadyzOfAClient(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{})
	s.Show(View{Members: members})
	body(t, ask(s, "GET", "/readyz"), 404)
	body(t, ask(s, "GET", "/livez"), 200)
}

func TestPrefersJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "text/plain, application/json": true,
		"text/plain, application/json;q=0.9": false, "application/json;q=0": false,
		"text/html, application/json;q=0.5, */*;q=0.1": true, "application/json;q=x": false,
		"text/*;q=0.4, application/json;q=0.5": true, ";;,=": false, "APPLICATION/JSON": true,
	} {
		if have := prefersJSON(accept); want != have {
			t.Errorf("%q: want %v, have %v", accept, want, have)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("application/json;q=0.5, text/plain", "gzip;q=1.0, br", "[::1]:80")
	f.Add("*/*", "gzip;q=0", "localhost")
	f.Fuzz(func(t *testing.T, accept, encoding, host string) {
		prefersJSON(accept)
		if takesGzip(encoding) && encoding == "" {
			t.Error("want no compression for who does not ask for it")
		}
		newGuard(":1", "").knows(host)
	})
}

func TestTakesGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "gzip;q=0": false, "gzip; q=0.0": false,
		"gzip;q=0.5": true, "deflate": false, "x-gzip": false,
	} {
		if have := takesGzip(accept); want != have {
			t.Errorf("%q: want %v, have %v", accept, want, have)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{})
	for _, test := range []struct {
		method, target string
		code           int
	}{
		{"GET", "/livez", 200}, {"HEAD", "/livez", 200}, {"POST", "/livez", 405}, {"PUT",
			"/readyz", 405},
		{"DELETE", "/", 405}, {"POST", "/sections", 405}, {"GET", "/metrics", 404}, {"GET",
			"/livez/", 404},
		{"GET", "/index.html", 404}, {"GET", "/favicon.ico", 204}, {"GET", "/", 200}, {"HEAD",
			"/", 200},
		{"GET", "/sections", 200}, {"GET", "/debug/pprof/", 200}, {"GET",
			"/debug/pprof/goroutine?debug=1", 200},
		{"GET", "/debug/pprof/nothing", 404}, {"POST", "/debug/pprof/", 405}, {"POST",
			"/debug/pprof/symbol", 200},
	} {
		r := ask(s, test.method, test.target)
		if r.StatusCode != test.code {
			t.Errorf("%s %s: want %d, have %s", test.method, test.target, test.code, r.Status)
		}
		if kind := r.Header.Get("Content-Type"); test.code >= 400 &&
			kind != "text/plain; charset=utf-8" {
			t.Errorf("%s %s: want plain text, have %q", test.method, test.target, kind)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			r.Header.Get("Referrer-Policy") != "no-referrer" ||
			r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: have the headers %v", test.method, test.target, r.Header)
		}
		wantText(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'",
			"frame-ancestors 'none'")
	}
}

func TestMetricsAreThoseOfTheProgram(t *testing.T) {
	s := newServer(t.Context(), ":9867", Config{Metrics: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("sd_state 1\n")) })})
	wantText(t, body(t, ask(s, "GET", "/metrics"), 200), "sd_state 1\n")
}
