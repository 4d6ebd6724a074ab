package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport/transporttest"
)

func TestNobodyIsRegistered(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	p := start(t, "--sd", url, "-n", "0", "-i", "20ms", "--timeout", "100ms")
	p.Stderr.Await(t, "level=warn", 1)
	p.Stderr.Await(t, "sd="+url+` msg="nobody is registered"`, 1)
	addr := shelltest.Serve(t)
	if err := registry.Create("/go_servers/"+addr, nil, 0); err != nil {
		t.Fatal(err)
	}
	p.Stdout.Await(t, addr, 3)
	p.Stderr.Await(t, "somebody is registered", 1)
	if have := strings.Count(p.Stderr.String(), statelog.Nobody); have != 1 {
		t.Errorf("want it said once so far, have %d times:\n%s", have, p.Stderr)
	}
	if err := registry.Delete("/go_servers/" + addr); err != nil {
		t.Fatal(err)
	}
	p.Stderr.Await(t, statelog.Nobody, 2)
	p.Interrupt(nil)
	p.Exit(t)
}

func TestNobodyAnswersWithinTheTimeout(t *testing.T) {
	for _, test := range []struct {
		exists bool
		want   string
	}{{true, statelog.Nobody}, {false, "there is no directory"}} {
		_, url := shelltest.StartRegistry(t, test.exists)
		stdout, stderr := try(t, shell.ExitFailure, "--sd", url, "-n", "3", "-i", "10ms", "--timeout", "700ms", "-o", "json")
		for _, o := range objects(t, stdout) {
			shelltest.WantText(t, o.Error, "no endpoints available")
			if o.Attempts != 0 || o.MS < 700 {
				t.Errorf("want no attempt in 700 ms, have %+v", o)
			}
		}
		if want, have := 1, strings.Count(stderr, `msg="`+test.want); want != have {
			t.Errorf("want %q once, have %s", test.want, stderr)
		}
		shelltest.WantText(t, stderr, "0 answered, 3 failed")
	}
}

// A run that is over before the log tells of the registry says why there is nobody, also one
// without a line for each request.
func TestRefusalIsToldWithinTheTimeout(t *testing.T) {
	dead := "zk://" + transporttest.FreeAddress(t)
	for _, args := range []string{"-n 1", "-n 1 -o none", "-n 2 -c 2", "-n 1 -o none -q", "-n 2 -c 2 -q"} {
		for _, urls := range []string{dead, dead + " etcd://" + strings.TrimPrefix(dead, "zk://")} {
			_, stderr := try(t, shell.ExitFailure, append(strings.Fields(args), "--sd", urls, "--timeout", "500ms")...)
			shelltest.WantText(t, stderr, "level=error", "connection refused")
			if n := strings.Count(stderr, "level="); n != 1 || strings.Count(strings.Split(stderr, "\n")[0], "refused") > strings.Count(urls, "://") {
				t.Errorf("%s --sd %s: want it said once, have %s", args, urls, stderr)
			}
		}
	}
}

// Where warnings are not shown, the error has the reason.
func TestNobodyAnswersAndNoWarningIsShown(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	_, stderr := try(t, shell.ExitFailure, "--sd", url, "-n", "1", "--timeout", "100ms", "--log-level", "error")
	shelltest.WantText(t, stderr, "level=error", "sd="+url, "no endpoints available")
}

func TestOneSessionForTheRun(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	register(t, url, 2)
	before := len(registry.Sessions())
	p := start(t, "--sd", url, "-n", "0", "-i", "1ms")
	p.Stdout.Await(t, "\n", 100)
	if want, have := before+1, len(registry.Sessions()); want != have {
		t.Errorf("want %d sessions, have %d", want, have)
	}
	if want, have := 1, registry.Requests(zkdev.OpGetChildren2); have > want {
		t.Errorf("want %d list, have %d", want, have)
	}
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
	if want, have := before, len(registry.Sessions()); want != have {
		t.Errorf("want %d sessions afterwards, have %d", want, have)
	}
}

func TestRegistryGoesDownDuringTheRun(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	register(t, url, 2)
	p := start(t, "--sd", url, "-n", "0", "-i", "5ms")
	p.Stdout.Await(t, "\n", 10)
	registry.Refuse(true)
	registry.Disconnect()
	p.Stderr.Await(t, `msg="discovery stale" instances=2`, 1)
	n := strings.Count(p.Stdout.String(), "\n")
	p.Stdout.Await(t, "\n", n+10)
	registry.Refuse(false)
	p.Stderr.Await(t, `level=info`, 1)
	p.Stderr.Await(t, `msg="discovery live" instances=2`, 1)
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stderr, "answered, 0 failed")
}

// A server that is set aside is told, with the reason, and so is its return.
func TestEjectionsAreVisible(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	good, addr := shelltest.Serve(t), transporttest.FreeAddress(t)
	shelltest.Enter(t, registry, good, addr)
	p := start(t, "--sd", url, "-n", "0", "-i", "5ms")
	p.Stderr.Await(t, `level=warn sd=`+url+` msg="set aside" instance=`+addr, 1)
	p.Stderr.Await(t, "connection refused", 1)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	shelltest.ServeListener(t, l)
	p.Stderr.Await(t, `level=info sd=`+url+` msg="answers again" instance=`+addr, 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// Who was lost is kept for twice the longest session timeout, and 40 s at least.
func TestReserve(t *testing.T) {
	for urls, want := range map[string]time.Duration{
		"fixed://192.0.2.1:8897":                      40 * time.Second,
		"zk://192.0.2.1":                              40 * time.Second,
		"zk://192.0.2.1?session-timeout=4s":           40 * time.Second,
		"zk://192.0.2.1?session-timeout=30s":          time.Minute,
		"fixed://192.0.2.1:1 etcd://a?ttl=1m":         2 * time.Minute,
		"zk://a?session-timeout=1m etcd://a":          2 * time.Minute,
		"etcd://a?ttl=25s zk://a?session-timeout=21s": 50 * time.Second,
	} {
		var parts []*discovery.Part
		for _, url := range strings.Fields(urls) {
			target, err := sd.ParseTarget(url)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, &discovery.Part{Registry: registry.Registry{Target: target}})
		}
		if have := reserve(parts); want != have {
			t.Errorf("%s: want %v, have %v", urls, want, have)
		}
	}
}

// Whatever time there was, the error says why there was nobody to ask, where no warning is shown.
func TestReasonWhereNoWarningIsShown(t *testing.T) {
	_, empty := shelltest.StartRegistry(t, true)
	_, missing := shelltest.StartRegistry(t, false)
	dead := "zk://" + transporttest.FreeAddress(t)
	for _, test := range []struct{ url, timeout, want string }{
		{dead, "500ms", "connection refused"},
		{dead, "1300ms", "connection refused"}, // after the log would tell
		{missing, "700ms", "there is no directory"},
		{empty, "700ms", statelog.Nobody},
	} {
		for _, args := range []string{"-n 1 -q", "-n 1 -q -o none", "-n 2 -c 2 -q", "-n 1 --log-level error", "-n 1 -o none --log-level error"} {
			t.Run(test.want+" in "+test.timeout+" "+args, func(t *testing.T) {
				t.Parallel()
				_, stderr := try(t, shell.ExitFailure, append(strings.Fields(args), "--sd", test.url, "--timeout", test.timeout)...)
				shelltest.WantText(t, stderr, "level=error", test.want)
				if n := strings.Count(stderr, "level="); n != 1 {
					t.Errorf("want it said once, have %s", stderr)
				}
			})
		}
	}
}
