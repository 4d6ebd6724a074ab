package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// operatorOf returns what asks the operator's listener at addr: the code and the text at a path.
func operatorOf(t *testing.T, addr string) func(path string) (int, string) {
	client := &http.Client{Timeout: shelltest.Bound,
		Transport: &http.Transport{DisableKeepAlives: true}}
	return func(path string) (int, string) {
		t.Helper()
		r, err := client.Get("http://" + addr + path)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		return r.StatusCode, string(text)
	}
}

// wantAt wants a code, and texts, at a path before long.
func wantAt(t *testing.T, ask func(string) (int, string), path string, code int, texts ...string) {
	t.Helper()
	shelltest.Eventually(t, func() error {
		have, body := ask(path)
		if have != code {
			return fmt.Errorf("%s: want %d, have %d, %s", path, code, have, body)
		}
		for _, text := range texts {
			if !strings.Contains(body, text) {
				return fmt.Errorf("%s: want %q, have %s", path, text, body)
			}
		}
		return nil
	})
}

func TestAdmin(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	addr := transporttest.FreeAddress(t)
	p := start(t, "--admin", addr, "--sd", url, "--listen", "127.0.0.1:0,127.0.0.1:0", "--zone",
		"eu-1a",
		"--tag", "version=2.1", "--drain", "1s")
	addrs := addresses(t, p, 2)
	p.Stderr.Await(t, "msg=registered", 2)
	ask := operatorOf(t, addr)
	if _, err := shelltest.Ask(t.Context(), addrs[0]); err != nil {
		t.Error(err)
	}
	wantAt(t, ask, "/livez", 200, "alive\n")
	wantAt(t, ask, "/readyz", 200, "ready\n", addrs[0]+" registered since ",
		addrs[1]+" registered since ", " in "+url)
	wantAt(t, ask, "/metrics", 200, `sd_registration_state{phase="registered"} 2`,
		"rpc_server_call_duration_seconds_count 1")
	wantAt(t, ask, "/debug/pprof/goroutine?debug=1", 200, "goroutine profile: ")
	wantAt(t, ask, "/nothing", 404, "404 page not found")
	wantAt(t, ask, "/", 200, "<title>ready · daytimesvc on ", "Servers of this process", addrs[0],
		addrs[1],
		">eu-1a<", "version=2.1", ">2 of 2<", ">2 servers")

	p.Interrupt(errors.New("asked to"))
	wantAt(t, ask, "/readyz", 503, "withdrawing\n")
	if _, err := shelltest.Ask(t.Context(), addrs[0]); err != nil {
		t.Errorf("want an answer during the drain, have %v", err)
	}
	wantAt(t, ask, "/readyz", 503, addrs[0]+" withdrawn since ")
	wantAt(t, ask, "/livez", 200)
	p.Finish(t, shell.ExitOK)
	if code, text := ask("/livez"); code != 0 {
		t.Errorf("want nobody there any more, have %d, %s", code, text)
	}
}

// Each registry has its registrations, and its fleet.
func TestAdminOfSeveralRegistries(t *testing.T) {
	_, first := shelltest.StartRegistry(t, true)
	second, away := shelltest.StartRegistry(t, true)
	second.Close()
	addr := transporttest.FreeAddress(t)
	p := start(t, "--admin", addr, "--sd", first, "--sd", away, "--listen", "127.0.0.1:0",
		"--drain", "0s")
	instance := addresses(t, p, 1)[0]
	ask := operatorOf(t, addr)
	wantAt(t, ask, "/readyz", 200, "ready\n", instance+" registered since ", " in "+first+"\n",
		instance+" registering since ", " in "+away+": ")
	wantAt(t, ask, "/", 200, "Fleet in "+first+"<", "Fleet in "+away+"<", ">1 of 2<",
		`id="fleet0-`+instance+`"`, ">live<", ">unknown<")
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// Without --admin nothing listens but the servers.
func TestNoAdmin(t *testing.T) {
	p := start(t, "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0", "--drain", "0s")
	addresses(t, p, 1)
	p.Interrupt(nil)
	if _, stderr := p.Finish(t, shell.ExitOK); strings.Contains(stderr, "admin") {
		t.Errorf("have %s", stderr)
	}
}

// A server that registers nowhere is ready as well, and shows no fleet.
func TestAdminOfAFixedList(t *testing.T) {
	addr := transporttest.FreeAddress(t)
	p := start(t, "--admin", addr, "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0",
		"--drain", "0s")
	ask := operatorOf(t, addr)
	wantAt(t, ask, "/readyz", 200, "ready\n")
	wantAt(t, ask, "/", 200, addresses(t, p, 1)[0], ">nowhere<")
	if _, page := ask("/"); strings.Contains(page, ">Fleet<") {
		t.Errorf("want no fleet, have %s", page)
	}
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// An address that cannot be used ends the program before anything is registered.
func TestWrongAdmin(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := transporttest.FreeAddress(t)
	for _, test := range []struct {
		addr string
		code int
		want string
	}{
		{"9867", shell.ExitUsage, `--admin "9867": address "9867": want host:port`},
		{"", shell.ExitUsage, `--admin "": address "": want host:port`},
		{"http://127.0.0.1:9867", shell.ExitUsage, `want host:port`},
		{"127.0.0.1:http", shell.ExitUsage, `want host:port`},
		{taken.Addr().String(), shell.ExitFailure, "--admin " + taken.Addr().String() +
			": listen tcp " +
			taken.Addr().String() + ": bind: address already in use"},
		{free, shell.ExitFailure, "address already in use"}, // by --listen
	} {
		_, stderr := try(t, test.code, "--admin", test.addr, "--sd", url, "--listen", free)
		shelltest.WantText(t, stderr, test.want)
	}
	if have := registry.Dials(); have != 0 {
		t.Errorf("want the registry left alone, have %d connections", have)
	}
}

// sinceLost is when a registration was lost, as /readyz and /metrics tell it.
func sinceLost(t *testing.T, ask func(string) (int, string)) (time.Time, string) {
	t.Helper()
	code, text := ask("/readyz")
	m := regexp.MustCompile(` lost since (\S+) `).FindStringSubmatch(text)
	if code != 200 || m == nil {
		t.Fatalf("want 200, and since when it is lost; have %d, %s", code, text)
	}
	since, err := time.Parse(time.RFC3339, m[1])
	if err != nil {
		t.Fatal(err)
	}
	_, text = ask("/metrics")
	metric := regexp.MustCompile(
		`sd_registration_state_since_timestamp_seconds\{phase="lost"\} (\S+)`)
	m = metric.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("want since when it is lost, have %s", text)
	}
	return since, m[1]
}

// A registry that is down takes nobody out of a load balancer: /readyz stays 200, and tells since
// when, as /metrics does.
func testRegistryDown(t *testing.T, url string, stop, restart func()) {
	addr := transporttest.FreeAddress(t)
	p := start(t, "--admin", addr, "--sd", url+"?session-timeout=2s", "--listen", "127.0.0.1:0",
		"--drain", "0s")
	instance := addresses(t, p, 1)[0]
	p.Stderr.Await(t, "msg=registered", 1)
	ask := operatorOf(t, addr)
	wantAt(t, ask, "/", 200, ">live<")
	stop()
	begun := time.Now()
	p.Stderr.Await(t, "msg=lost", 1)
	first, metric := sinceLost(t, ask)
	if first.Before(begun.Add(-2*time.Second)) || first.After(time.Now()) {
		t.Errorf("want it lost since about %v, have %v", begun, first)
	}
	wantAt(t, ask, "/", 200, ">lost<", ">stale<", ">1 server<", instance)
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		if again, text := sinceLost(t, ask); !again.Equal(first) || text != metric {
			t.Errorf("want %v, %s, have %v, %s", first, metric, again, text)
		}
	}
	restart()
	p.Stderr.Await(t, "msg=registered", 2)
	wantAt(t, ask, "/readyz", 200, instance+" registered since ")
	wantAt(t, ask, "/", 200, ">live<", ">registered<")
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

func TestReadyWithoutARegistry(t *testing.T) {
	registry, err := zkdev.Start("127.0.0.1:0", zkdev.TickTime(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	testRegistryDown(t, "zk://"+registry.Addr().String()+"/go_servers", registry.Stop, func() {
		if err := registry.Restart(); err != nil {
			t.Error(err)
		}
	})
}

func TestReadyWithoutARealRegistry(t *testing.T) {
	registry := zktest.Start(t)
	testRegistryDown(t, "zk://"+registry.Addr()+"/go_servers",
		func() { registry.Stop(t) }, func() { registry.Restart(t) })
}
