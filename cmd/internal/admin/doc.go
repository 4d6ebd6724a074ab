// Package admin answers the operator of a process over HTTP: health, metrics, profiles, and a page
// that shows the process's servers and the fleet.
//
//	server, err := admin.Start(ctx, "127.0.0.1:9867", admin.Config{Program: "daytimesvc"})
//	defer server.Close()          // last of all
//	defer server.Show(view)()     // once there is a registry, and until it is closed
//	server.SetServing()
//	…
//	server.SetWithdrawing()       // as the end of ctx does
//
// # Paths
//
//	/livez         200 while the process answers. It depends on nothing else.
//	/readyz        200 while the process serves, 503 before that and from the withdrawal on. The
//	               body reports each registration, as text or JSON (Accept), and decides nothing:
//	               a registry that is down must not take a healthy fleet out of a load balancer.
//	/metrics       for Prometheus
//	/debug/pprof/  profiles, for peers on loopback
//	/              the page
//	/sections      its parts that have changed, for the page's script
//
// All else is 404, but for /favicon.ico, which browsers ask for: 204. The methods are GET and HEAD,
// and for /debug/pprof/symbol POST as well.
//
// # The page
//
// It is one document that refers to nothing else. With JavaScript it is updated in place every 2 s
// while it is visible; without, it reloads every 5 s. A Content-Security-Policy allows its own
// style and script by their hashes, requests to its own origin, and nothing else. What comes from a
// registry is a stranger's: html/template escapes it, and characters that are not printable are
// shown as escapes.
//
// A directory is followed from the first view until a minute after the last one, by one Instancer
// for all viewers: ten thousand servers are not ten thousand more watchers. That Instancer has a
// Backend of its own, because a watch ends no earlier than its session. The first view waits 1 s at
// most for the registry's first answer.
//
// # Whom it answers
//
// The page has no password: ADDR decides who reaches it. Profiles are for loopback peers, as the
// connection says it; headers such as X-Forwarded-For change nothing. Page and profiles want to be
// asked under an address, localhost, this host's name, or the name in ADDR: under any other name a
// website could read them by having its own name resolve to this host (DNS rebinding). The other
// paths answer under every name, as health checks and Prometheus ask.
//
// # Reading the package
//
// admin.go is the server and its life; guard.go decides who is answered; health.go has /livez and
// /readyz; view.go is what a program has shown, and follow.go follows its directories; page.go
// answers with sections, which are made in status.go, fleet.go and pool.go, in the words of
// words.go, and rendered by page.html, page.css and page.js.
package admin
