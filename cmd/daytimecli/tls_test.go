package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		{"doctor", addr, "daytime.example.com", shell.ExitOK},
	} {
		args := append(strings.Fields(test.verb), "--sd", "fixed://"+test.server, "--timeout", "1s")
		stdout, stderr := try(t, test.want, append(append(args, own...), test.name)...)
		if test.want != shell.ExitOK {
			shelltest.WantText(t, stdout+stderr, "TLS handshake")
		}
	}
}

// The doctor tells a server that does not prove the name from one that refuses us.
func TestDoctorUnderTLS(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	cert, key := authority.Issue("daytime.example.com", time.Hour)
	addr := serveTLS(t, transport.TLSFiles{Cert: cert, Key: key, CA: authority.File})
	args := []string{"doctor", "--sd", "fixed://" + addr, "--tls-ca", authority.File, "--tls-name"}
	stdout, _ := try(t, shell.ExitFailure, append(args, "other.example.com")...)
	shelltest.WantText(t, stdout, "does not prove the name", "see its certificate")
	stdout, _ = try(t, shell.ExitFailure, append(args, "daytime.example.com")...)
	shelltest.WantText(t, stdout, "refuses this client", "certificate required", "--tls-cert")
	if strings.Contains(stdout, "does not prove the name") {
		t.Errorf("want no word of its own certificate, have\n%s", stdout)
	}
}

// The flag whose file cannot be used is named.
func TestFilesForTLSThatCannotBeUsed(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	cert, key := authority.Issue("client.example.com", time.Hour)
	for _, test := range []struct{ ca, cert, flag string }{
		{"/no/such", cert, "--tls-ca"},
		{authority.File, "/no/such", "--tls-cert"},
		{"/no/such", "/no/such", "--tls-ca"},
	} {
		_, stderr := try(t, shell.ExitUsage, "--sd", "fixed://127.0.0.1:1", "--tls-ca", test.ca,
			"--tls-name", "daytime.example.com", "--tls-cert", test.cert, "--tls-key", key)
		shelltest.WantText(t, stderr, test.flag+" ", "/no/such")
	}
}

// An impostor among three is never sent a byte of a request, and costs no call.
func TestImpostorAmongThree(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	issue := func(name string, validity time.Duration) transport.TLSFiles {
		cert, key := authority.Issue(name, validity)
		return transport.TLSFiles{Cert: cert, Key: key}
	}
	config := func(files transport.TLSFiles) *tls.Config {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	const name = "daytime.example.com"
	expired := config(issue(name, -time.Minute))
	ours := issue(name, time.Hour)
	good := serveTLS(t, ours) + "," + serveTLS(t, ours)
	for rogue, own := range map[string]*tls.Config{
		"another service": config(issue("other.example.com", time.Hour)),
		"expired":         expired,
		"no certificate":  {},
		"plain text":      nil,
	} {
		t.Run(rogue, func(t *testing.T) {
			var mu sync.Mutex
			var dialled int
			var sent bytes.Buffer
			addr := transporttest.Serve(t, func(conn *net.TCPConn) {
				var from io.Reader = conn
				if own != nil {
					from = tls.Server(conn, own)
				} else {
					io.WriteString(conn, "now\r\n")
				}
				text, _ := io.ReadAll(from)
				mu.Lock()
				defer mu.Unlock()
				dialled++
				sent.Write(text)
			})
			stdout, stderr := try(t, shell.ExitOK, "--sd", "fixed://"+good+","+addr, "-n", "50", "-i", "0",
				"--tls-ca", authority.File, "--tls-name", name)
			if answers := strings.Count(stdout, "\n"); answers != 50 || strings.Contains(stdout, "now") {
				t.Errorf("want 50 answers of the others, have %d\n%s", answers, stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			if dialled == 0 || bytes.Contains(sent.Bytes(), []byte("timestamp")) || own != nil && sent.Len() > 0 {
				t.Errorf("want it dialled and sent no request, have it dialled %d times, and sent %q",
					dialled, sent.String())
			}
		})
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
