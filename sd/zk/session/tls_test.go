package session

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session/internal/hosts"
)

// authority writes the certificate of a server, which is for example.com and 127.0.0.1.
func authority(t *testing.T, server *httptest.Server) string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca
}

// startTLS starts a server that logs nothing.
func startTLS(t *testing.T, config *tls.Config) *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// The server must prove the name that is configured, whatever it resolves to.
func TestCertificateIsOfTheName(t *testing.T) {
	remote := startTLS(t, nil)
	ca := authority(t, remote)
	for host, want := range map[string]string{
		"example.com:2181":       "",
		"other.example.org:2181": "not other.example.org",
	} {
		conn, err := net.Dial("tcp", remote.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		to := hosts.Server{Host: host, Address: remote.Listener.Addr().String()}
		secured, err := TLS{CA: ca}.secure(t.Context(), conn, to)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: want %q, have %v", host, want, err)
		}
		if err != nil && !strings.Contains(err.Error(), to.String()) {
			t.Errorf("%s: want an error about %v, have %v", host, to, err)
		}
		if err == nil {
			secured.Close()
		}
	}
}

// A port without TLS, or with an old one, is told from one that refuses us, or does not answer.
func TestHintOfTLS(t *testing.T) {
	ours := startTLS(t, nil)
	old := startTLS(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	const hint = "want a port with TLS 1.2 or later"
	for name, c := range map[string]struct {
		addr string
		want bool
	}{
		"closes": {listen(t, func(conn net.Conn) { conn.Read(make([]byte, 1<<16)) }), true},
		"resets": {listen(t, func(conn net.Conn) { conn.Read(make([]byte, 1)); conn.(*net.TCPConn).SetLinger(0) }), true},
		"no TLS": {listen(t, func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Read(make([]byte, 1<<16))
		}), true},
		"old":      {old.Listener.Addr().String(), true},
		"silent":   {listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }), false},
		"unproved": {ours.Listener.Addr().String(), false},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", c.addr)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err = TLS{CA: authority(t, old)}.secure(ctx, conn, hosts.Server{Host: "other.example.org:2281", Address: c.addr})
			if err == nil || strings.Contains(err.Error(), hint) != c.want {
				t.Errorf("want a hint %t, have %v", c.want, err)
			}
		})
	}
}

// listen serves connections with f, and then closes them.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer conn.Close(); f(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

// A connection that is closed without a word has several reasons; all that come into question are
// told, also when it is closed before it is known to be open.
func TestRefusalIsExplained(t *testing.T) {
	for name, fault := range map[string]func(context.Context) (net.Conn, error){
		"closed":             closedAtOnce,
		"closed on connect":  func(context.Context) (net.Conn, error) { return nil, connectError(syscall.EPIPE) },
		"reset on connect":   func(context.Context) (net.Conn, error) { return nil, connectError(syscall.ECONNRESET) },
		"refused on connect": func(context.Context) (net.Conn, error) { return nil, connectError(syscall.ECONNREFUSED) },
	} {
		inLab(t, one, func(l *lab) {
			l.faulty(fault, "zookeeper")
			s := l.start()
			wait.Pass(10 * time.Millisecond)
			err := s.Err()
			if name == "refused on connect" {
				if have, want := err.Error(), "no session: zookeeper.example.com:2181: connection refused"; have != want {
					t.Errorf("%s: want %s, have %s", name, want, have)
				}
				return
			}
			for _, part := range []string{"zookeeper.example.com:2181: ", "without an answer", "maxClientCnxns", "not serving", "wants TLS"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: want %q, have %v", name, part, err)
				}
			}
			l.eventually(8*time.Second, func() error { return want(s.isProbing(), "a probe, as after any refusal") })
		})
	}
	if text := (Config{TLS: TLS{CA: "ca"}}).refusal(); strings.Contains(text, "wants TLS") || !strings.Contains(text, "maxClientCnxns") {
		t.Errorf("with TLS: have %s", text)
	}
}

// connectError is how net.Dial tells an error of connect(2).
func connectError(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2181}, Err: os.NewSyscallError("connect", errno)}
}
