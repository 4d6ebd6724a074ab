package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// serveTLS runs a server that proves the name daytime.example.com, and wants the same of its
// clients, and returns its address.
func serveTLS(t *testing.T, files transport.TLSFiles) string {
	t.Helper()
	source, err := files.Server()
	if err != nil {
		t.Fatal(err)
	}
	l := shelltest.Listen(t)
	addr := l.Addr().String()
	server := transport.NewDaytimeServer(endpoint.New(service.New(addr)), kitlog.NewNopLogger(),
		transport.ServerTLS(source))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() { server.Shutdown(context.Background()); <-ended })
	return addr
}

// Every verb that dials wants the server to prove the name of the service.
func TestVerbsSpeakTLS(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	cert, key := authority.Issue("daytime.example.com", time.Hour)
	own := []string{"--tls-ca", authority.File, "--tls-cert", cert, "--tls-key", key, "--tls-name"}
	addr := serveTLS(t, transport.TLSFiles{Cert: cert, Key: key, CA: authority.File})
	for _, test := range []struct {
		verb, server, name string
		want               int
	}{
		{"get -n 1", addr, "daytime.example.com", shell.ExitOK},
		{"get -n 1 --retries 0", addr, "other.example.com", shell.ExitFailure},
		{"get -n 1 --retries 0", shelltest.Serve(t), "daytime.example.com", shell.ExitFailure},
		{"list --check", addr, "daytime.example.com", shell.ExitOK},
		{"list --check", addr, "other.example.com", shell.ExitFailure},
	} {
		args := append(strings.Fields(test.verb), "--sd", "fixed://"+test.server, "--timeout", "1s")
		stdout, stderr := try(t, test.want, append(append(args, own...), test.name)...)
		if test.want != shell.ExitOK {
			shelltest.WantText(t, stdout+stderr, "TLS handshake")
		}
	}
}

// A list in a file is a registry, too, with attributes.
func TestListOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	text := "192.0.2.1:8897 weight=50 zone=eu-1a version=2.1\n192.0.2.2:8897\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ := try(t, shell.ExitOK, "list", "-o", "json", "--sd", "file://"+file)
	shelltest.WantText(t, stdout, `{"instance":"192.0.2.1:8897","weight":50,"effective_weight":50,"zone":"eu-1a","tags":{"version":"2.1"}`)
	if strings.Count(stdout, "\n") != 2 {
		t.Errorf("want two servers, have\n%s", stdout)
	}
}

// A client prefers the servers of its own zone.
func TestZoneOfTheClient(t *testing.T) {
	near, far := shelltest.Serve(t), shelltest.Serve(t)
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte(near+" zone=a\n"+far+" zone=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ := try(t, shell.ExitOK, "--sd", "file://"+file, "--zone", "a", "-n", "50", "-i", "0", "-q")
	if have := strings.Count(stdout, near+": "); have != 50 {
		t.Errorf("want 50 replies of %s, have %d:\n%s", near, have, stdout)
	}
}
