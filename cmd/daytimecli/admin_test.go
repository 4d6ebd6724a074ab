package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// The pool of a client as it sees its members: one answers, and nobody is at the address of
// another.
func TestAdmin(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	live, dead := shelltest.Serve(t), transporttest.FreeAddress(t)
	shelltest.Enter(t, registry, live, dead)
	addr := transporttest.FreeAddress(t)
	p := start(t, "get", "--admin", addr, "--sd", url, "-n", "0", "-i", "5ms", "-o", "none")
	client := &http.Client{Timeout: shelltest.Bound,
		Transport: &http.Transport{DisableKeepAlives: true}}
	want := func(path string, code int, texts ...string) {
		t.Helper()
		shelltest.Eventually(t, func() error {
			r, err := client.Get("http://" + addr + path)
			if err != nil {
				return err
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != code {
				return fmt.Errorf("%s: want %d, have %s, %v", path, code, r.Status, err)
			}
			for _, text := range texts {
				if !strings.Contains(string(body), text) {
					return fmt.Errorf("%s: want %q, have %s", path, text, body)
				}
			}
			return nil
		})
	}
	want("/", 200, "<title>ready · daytimecli on ", `id="pool-`+live+`"`, `id="pool-`+dead+`"`,
		">ejected<",
		"refused: ", ">1 of 2 ready<", `id="fleet0-`+live+`"`, ">2 servers<", ">live<")
	want("/livez", 200, "alive\n")
	want("/readyz", 404)
	want("/metrics", 200, `lb_members{state="ejected"} 1`, `sd_state{phase="live",registry=""} 1`,
		"sd_set_hash{")
	want("/debug/pprof/", 200, "goroutine")
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A client is never ready for calls, and does not begin to be either, while it waits for a registry
// that is down.
func TestAdminOfAClientThatBegins(t *testing.T) {
	o := newOutage(t)
	addr := transporttest.FreeAddress(t)
	p := start(t, "get", "--admin", addr, "--sd", o.url, "--snapshot", o.file, "-n", "0", "-o", "none")
	shelltest.Eventually(t, func() error {
		r, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			if r.Body.Close(); r.StatusCode != http.StatusNotFound {
				t.Errorf("want 404, have %s", r.Status)
			}
		}
		return err
	})
	p.Interrupt(nil)
	p.Exit(t)
}

// Who was lost is in reserve for twice the session timeout, if that is more than 40 s.
func TestAdminTellsOfTheReserve(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	stays, lost := shelltest.Serve(t), shelltest.Serve(t)
	shelltest.Enter(t, registry, stays, lost)
	addr := transporttest.FreeAddress(t)
	p := start(t, "get", "--admin", addr, "--sd", url+"?session-timeout=30s", "-n", "0", "-i", "5ms")
	p.Stdout.Await(t, lost, 1)
	if err := registry.Delete("/go_servers/" + lost); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: shelltest.Bound,
		Transport: &http.Transport{DisableKeepAlives: true}}
	row := regexp.MustCompile(`(?s)id="pool-` + regexp.QuoteMeta(lost) + `".*?in reserve.*?datetime="([^"]*)"`)
	shelltest.Eventually(t, func() error {
		r, err := client.Get("http://" + addr)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		match := row.FindSubmatch(body)
		if err != nil || match == nil {
			return fmt.Errorf("want %v, have %s, %v", row, body, err)
		}
		until, err := time.Parse(time.RFC3339, string(match[1]))
		if left := time.Until(until); err != nil || left < 45*time.Second {
			return fmt.Errorf("want a minute, have %v, %v", left, err)
		}
		return nil
	})
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

func TestWrongAdmin(t *testing.T) {
	taken := shelltest.Listen(t)
	defer taken.Close()
	_, stderr := try(t, shell.ExitFailure, "--admin", taken.Addr().String(), "--sd",
		"fixed://127.0.0.1:1", "-n", "1")
	shelltest.WantText(t, stderr, "--admin "+taken.Addr().String()+": listen tcp ",
		"address already in use")
	_, stderr = try(t, shell.ExitUsage, "--admin", "9867", "-n", "1")
	shelltest.WantText(t, stderr, `--admin "9867": address "9867": want host:port`)
}
