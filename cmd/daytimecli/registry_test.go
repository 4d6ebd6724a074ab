package main

import (
	"strings"
	"testing"

	"example.com/daytime/sd/zk/zkdev"
)

func TestNobodyIsRegistered(t *testing.T) {
	registry, url := startRegistry(t, true)
	p := start(t, "--sd", url, "-n", "0", "-i", "20ms", "--timeout", "100ms", "--log-level", "info")
	p.stderr.await(t, "level=warn", 1)
	wantText(t, p.stderr.String(), "sd="+url+` msg="nobody is registered"`)
	addr := serve(t)
	if err := registry.Create("/go_servers/"+addr, nil, 0); err != nil {
		t.Fatal(err)
	}
	p.stdout.await(t, addr, 3)
	p.stderr.await(t, somebody, 1)
	if have := strings.Count(p.stderr.String(), nobodyNow); have != 1 {
		t.Errorf("want it said once so far, have %d times:\n%s", have, p.stderr)
	}
	if err := registry.Delete("/go_servers/" + addr); err != nil {
		t.Fatal(err)
	}
	p.stderr.await(t, nobodyNow, 2)
	p.interrupt(nil)
	p.exit(t)
}

func TestNobodyAnswersWithinTheTimeout(t *testing.T) {
	for _, test := range []struct {
		exists bool
		want   string
	}{{true, nobodyNow}, {false, nobodyEver}} {
		_, url := startRegistry(t, test.exists)
		stdout, stderr := try(t, exitFailure, "--sd", url, "-n", "3", "-i", "10ms", "--timeout", "100ms", "-o", "json")
		for _, o := range objects(t, stdout) {
			wantText(t, o.Error, "no endpoints available")
			if o.Attempts != 0 || o.MS < 100 {
				t.Errorf("want no attempt in 100 ms, have %+v", o)
			}
		}
		if want, have := 1, strings.Count(stderr, `msg="`+test.want+`"`); want != have {
			t.Errorf("want %q once, have %s", test.want, stderr)
		}
		wantText(t, stderr, "0 answered, 3 failed")
	}
}

func TestOneSessionForTheRun(t *testing.T) {
	registry, url := startRegistry(t, true)
	register(t, url, 2)
	before := len(registry.Sessions())
	p := start(t, "--sd", url, "-n", "0", "-i", "1ms")
	p.stdout.await(t, "\n", 100)
	if want, have := before+1, len(registry.Sessions()); want != have {
		t.Errorf("want %d sessions, have %d", want, have)
	}
	if want, have := 1, registry.Requests(zkdev.OpGetChildren2); have > want {
		t.Errorf("want %d list, have %d", want, have)
	}
	p.interrupt(nil)
	p.finish(t, exitOK)
	if want, have := before, len(registry.Sessions()); want != have {
		t.Errorf("want %d sessions afterwards, have %d", want, have)
	}
}

func TestRegistryGoesDownDuringTheRun(t *testing.T) {
	registry, url := startRegistry(t, true)
	register(t, url, 2)
	p := start(t, "--sd", url, "-n", "0", "-i", "5ms")
	p.stdout.await(t, "\n", 10)
	registry.Refuse(true)
	registry.Disconnect()
	p.stderr.await(t, `msg="discovery stale" instances=2`, 1)
	n := strings.Count(p.stdout.String(), "\n")
	p.stdout.await(t, "\n", n+10)
	p.interrupt(nil)
	_, stderr := p.finish(t, exitOK)
	wantText(t, stderr, "answered, 0 failed")
}
