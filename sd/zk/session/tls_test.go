package session

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The server must prove the name that is configured, whatever it resolves to.
func TestCertificateIsOfTheName(t *testing.T) {
	server := httptest.NewUnstartedServer(nil) // its certificate is for example.com and 127.0.0.1
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"example.com:2181":       "",
		"other.example.org:2181": "not other.example.org",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		to := target{host: host, address: server.Listener.Addr().String()}
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
