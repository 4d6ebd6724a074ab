package admin

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"strings"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// ownPolicy is the Content-Security-Policy of everything but the page: it loads nothing.
const ownPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secured sets the headers that hold for every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", ownPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// A guard knows the names of this host. A website can have its own name resolve to any address, and
// its script may then read what is answered there (DNS rebinding): the Host header is that name.
type guard struct{ names []string }

// newGuard returns the guard of a server on addr, which may have a name, on a host.
func newGuard(addr, host string) guard {
	name, _, _ := net.SplitHostPort(addr)
	return guard{[]string{"localhost", canonicalHost(host), canonicalHost(name)}}
}

// canonicalHost is a host as names are compared: in lower case, without the last dot.
func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// knows reports whether a Host header is an address or a name of this host. A request without one
// comes from no browser.
func (g guard) knows(header string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = canonicalHost(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "" && header == "" {
		return true
	}
	for _, name := range g.names {
		if name != "" && (host == name || name == "localhost" && strings.HasSuffix(host,
			".localhost")) {
			return true
		}
	}
	return false
}

// named answers with next where the request is for a name of this host.
func (g guard) named(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.knows(r.Host) {
			http.Error(w, fmt.Sprintf("host %.100q: want an address, localhost, the name of this "+
				"host, "+
				"or the name in --admin", r.Host), http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	})
}

// profiles adds the profiles of package net/http/pprof.
func (s *Server) profiles(mux *http.ServeMux) {
	for path, handler := range map[string]http.HandlerFunc{
		"GET /debug/pprof/":        pprof.Index,
		"GET /debug/pprof/cmdline": pprof.Cmdline,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol":  pprof.Symbol,
		"POST /debug/pprof/symbol": pprof.Symbol, // go tool pprof asks so
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.Handle(path, local(s.guard.named(handler)))
	}
}

// local answers with next where the peer is on loopback, as the connection says it: headers are the
// peer's own to write. A page of another site may not have its reader's browser ask, either.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case err != nil || !peer.Addr().Unmap().IsLoopback():
			http.Error(w, "profiles are for peers on loopback", http.StatusForbidden)
		case site == "cross-site" || site == "same-site":
			http.Error(w, "profiles are not for other sites: enter the address by hand",
				http.StatusForbidden)
		default:
			w.Header().Set("Content-Security-Policy", ownPolicy+"; style-src 'unsafe-inline'")
			next.ServeHTTP(w, r)
		}
	})
}

// hostname is the name of this host, or nothing.
func hostname() string {
	name, _ := os.Hostname() // without one the page says so
	return name
}

// stdLogger is where net/http writes what goes wrong: panics of handlers, and a shortage of
// descriptors.
func stdLogger(logger kitlog.Logger) *log.Logger {
	return log.New(kitlog.NewStdlibAdapter(level.Error(logger)), "", 0)
}
