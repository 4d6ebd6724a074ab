package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// Loopback is registered where only this host reads it, or where --advertise says so outright.
func TestLoopback(t *testing.T) {
	for _, test := range []struct {
		sd, advertise, instances string
		dev                      bool
		want                     string // in the warning or the error
	}{
		{"zk://127.0.0.1", "", "127.0.0.1:1", false, ""},
		{"zk://localhost,[::1]:2/a", "", "127.0.0.1:1,[::1]:1", false, ""},
		{"zk://192.0.2.1", "", "192.0.2.2:1,[2001:db8::1]:1", false, ""},
		{"fixed://192.0.2.1:1", "", "127.0.0.1:1", false, ""},
		{"zk://127.0.0.1", "", "127.0.0.1:1", true, ""},
		{"zk://127.0.0.1 zk://192.0.2.1", "", "127.0.0.1:1", true, "where clients of zk://192.0.2.1 may be"},
		{"zk://192.0.2.1/a", "", "192.0.2.2:1,127.0.1.1:1", false, "where clients of zk://192.0.2.1/a may be"},
		{"zk://192.0.2.1", "", "[::1]:1", false, "or --advertise [::1]:1 to register it all the same"},
		{"zk://127.0.0.1,192.0.2.1", "", "127.0.0.1:1", false, "cannot be dialled from other hosts"},
		{"zk://no.such.name.invalid", "", "127.0.0.1:1", false, "cannot be dialled from other hosts"},
		{"zk://192.0.2.1", "127.0.0.1:1", "127.0.0.1:1", false, "advertise=127.0.0.1:1"},
	} {
		c := config{sd: strings.Fields(test.sd), dev: test.dev, listen: list{"localhost:8897"}}
		if test.advertise != "" {
			c.advertise = list{test.advertise}
		}
		var log strings.Builder
		err := c.checkLoopback(t.Context(), strings.Split(test.instances, ","), kitlog.NewLogfmtLogger(&log))
		have := log.String()
		if err != nil {
			have += err.Error()
		}
		if have == "" != (test.want == "") || !strings.Contains(have, test.want) || (err != nil && test.advertise != "") {
			t.Errorf("%+v: want %q, have %q", test, test.want, have)
		}
	}
}

func TestLoopbackIsAWrongCommand(t *testing.T) {
	for _, args := range []string{"--sd zk://192.0.2.1/go_servers",
		"--dev --sd zk://127.0.0.1:1 --sd zk://192.0.2.1"} {
		_, stderr := try(t, shell.ExitUsage, append(strings.Fields(args), "--listen", "localhost:0")...)
		shelltest.WantText(t, stderr, `daytimesvc: --listen "localhost:0": cannot be dialled from other hosts`)
	}
}

// Who has the sockets of systemd is not sent to --listen, which they stand instead of.
func TestLoopbackOfSystemd(t *testing.T) {
	c := config{sd: registry.URLs{"zk://192.0.2.1"}, listen: list{"127.0.0.1:1"}, inherited: make([]net.Listener, 1)}
	err := c.checkLoopback(t.Context(), c.listen, kitlog.NewNopLogger())
	if err == nil || strings.Contains(err.Error(), "--listen") || !strings.Contains(err.Error(), "ListenStream=") {
		t.Errorf("want a word of ListenStream=, have %v", err)
	}
}

// Whose addresses are none of loopback does not wait for the names of its registries, and a signal
// while they are looked up is no wrong command.
func TestLookupsOfRegistries(t *testing.T) {
	var lookups atomic.Int64
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	ctx, cancel := context.WithCancel(t.Context())
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		lookups.Add(1)
		cancel() // the signal
		return nil, context.Canceled
	}}
	c := config{sd: registry.URLs{"zk://zk.example.com"}, listen: list{"192.0.2.1:1"}}
	if err := c.checkLoopback(ctx, c.listen, kitlog.NewNopLogger()); err != nil || lookups.Load() > 0 {
		t.Errorf("want no lookup, have %d, %v", lookups.Load(), err)
	}
	for _, addr := range []string{"127.0.0.1:0", "127.0.0.1:1"} {
		args := []string{"--sd", c.sd[0], "--listen", addr, "--drain", "0s"}
		var stderr strings.Builder
		code := run(ctx, args, shelltest.NoVariables, io.Discard, &stderr)
		if code != shell.ExitOK || strings.Contains(stderr.String(), "registered") {
			t.Errorf("%s: want exit code 0, and nothing registered, have %d: %s", addr, code, stderr.String())
		}
	}
}

func TestAdvice(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4")}
	listen := []string{"127.0.0.1:1", "localhost:2"}
	for n, want := range map[int]string{
		0: "want an address of this host, which has none now",
		1: "want --listen 192.0.2.1:1,192.0.2.1:2",
		4: "want --listen 192.0.2.1:1,192.0.2.1:2, or 2001:db8::1, 192.0.2.3",
	} {
		if have := advice("--listen ", listen, own[:n]); want != have {
			t.Errorf("want %q, have %q", want, have)
		}
	}
	for _, addr := range ownAddresses() {
		if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() {
			t.Errorf("want what other hosts can dial, have %v", addr)
		}
	}
}

// What will be registered is known before there is a listener, in whichever spelling: its address is
// the one that is registered.
func TestPlannedInstances(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::ffff:127.0.0.1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		c := config{listen: list{net.JoinHostPort(host, port)}}
		have, known := c.plannedInstances()
		if want := c.instances([]net.Listener{l}); !known || !slices.Equal(want, have) {
			t.Errorf("%s: want %q, have %q", c.listen, want, have)
		}
	}
}
