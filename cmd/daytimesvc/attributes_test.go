package main

import (
	"reflect"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// What the flags say stands in the entry of every address of the process.
func TestAttributesAreRegistered(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0,127.0.0.1:0", "--drain", "0",
		"--weight", "0", "--zone", "eu-1a", "--tag", "version=2.1", "--tag", "rack=7")
	addrs := addresses(t, p, 2)
	p.Stderr.Await(t, "msg=registered", 2)
	backend, err := schemes(nil)("").Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	defer instancer.Stop()
	if err := instancer.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries := instancer.Entries()
	if len(entries) != len(addrs) {
		t.Errorf("want %q, have %v", addrs, entries)
	}
	for _, e := range entries {
		a, want := e.Attributes, map[string]string{"version": "2.1", "rack": "7"}
		if a.Weight == nil || *a.Weight != 0 || a.Zone != "eu-1a" || !reflect.DeepEqual(want, a.Tags) {
			t.Errorf("want what was said, have %v", e)
		}
	}
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A variable has several tags with blanks between; one that is wrong is told by itself.
func TestTagsOfAVariable(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"version=2.1 rack=7": {"version": "2.1", "rack": "7"},
		" a=1  b=2 ":         {"a": "1", "b": "2"},
		"a=1":                {"a": "1"},
		"a=1 b":              nil,
		"a=1 a=2":            nil,
		"a=1 zone=b":         nil,
		" ":                  nil,
	} {
		var a attributes
		err := tagFlag{&a}.Set(text)
		if (err == nil) != (want != nil) || want != nil && !reflect.DeepEqual(want, a.Tags) {
			t.Errorf("%q: want %v, have %v, %v", text, want, a.Tags, err)
		}
	}
}

// With a certificate the servers prove the name of the service, and ask for one of their clients
// only if they are told to.
func TestServesTLS(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	cert, key := authority.Issue("daytime.example.com", time.Hour)
	for _, test := range []struct {
		name string
		args []string
		own  transport.TLSFiles // of the client
		ok   bool
	}{
		{"any client", nil, transport.TLSFiles{CA: authority.File}, true},
		{"a client without a certificate", []string{"--tls-client-ca", authority.File},
			transport.TLSFiles{CA: authority.File}, false},
		{"a client with one", []string{"--tls-client-ca", authority.File},
			transport.TLSFiles{CA: authority.File, Cert: cert, Key: key}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, append([]string{"--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0",
				"--drain", "0", "--tls-cert", cert, "--tls-key", key}, test.args...)...)
			addr := addresses(t, p, 1)[0]
			source, err := test.own.Client()
			if err != nil {
				t.Fatal(err)
			}
			client := transport.NewDaytimeClient(addr, transport.ClientTLS("daytime.example.com", source))
			set := endpoint.Set{DaytimeEndpoint: client.Endpoint()}
			if reply, err := set.Daytime(t.Context()); (err == nil) != test.ok {
				t.Errorf("want an answer: %v; have %q, %v", test.ok, reply, err)
			}
			p.Interrupt(nil)
			p.Finish(t, shell.ExitOK)
		})
	}
}

// A certificate that has ended is a warning, before a client meets it, and so is one that cannot be read
// later; neither is a failure to serve.
func TestCertificateThatHasEnded(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	cert, key := authority.Issue("daytime.example.com", -time.Minute)
	p := start(t, "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0", "--drain", "0", "--tls-cert", cert, "--tls-key", key)
	addr := addresses(t, p, 1)[0]
	p.Stderr.Await(t, "level=warn msg=certificate err=\"TLS certificate "+cert+": it ended at ", 1)
	source, err := transport.TLSFiles{CA: authority.File}.Client()
	if err != nil {
		t.Fatal(err)
	}
	set := endpoint.Set{DaytimeEndpoint: transport.NewDaytimeClient(addr,
		transport.ClientTLS("daytime.example.com", source)).Endpoint()}
	set.Daytime(t.Context())
	p.Stderr.Await(t, "msg=certificate err=\"transport: TLS goes on with what it has: TLS certificate "+cert, 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}
