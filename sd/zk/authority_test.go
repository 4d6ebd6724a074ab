package zk_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An authority issues certificates for tests. Its clock is the bubble's.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	ca   string // path of its certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "authority of the test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(1000 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	a.ca, _ = a.issue(a.cert, a.key)
	var err error
	if a.cert, err = x509.ParseCertificate(pair(t, a.ca, strings.TrimSuffix(a.ca, ".pem")+".key")[0].Certificate[0]); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// For issues a certificate for a host or a client of that name, and returns the paths of it and its
// key.
func (a *authority) For(name string, valid time.Duration) (cert, key string) {
	a.t.Helper()
	return a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(valid),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, newKey(a.t))
}

func (a *authority) issue(template *x509.Certificate, key *ecdsa.PrivateKey) (certFile, keyFile string) {
	a.t.Helper()
	der, err1 := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		a.t.Fatal(err)
	}
	base := filepath.Join(a.dir, template.Subject.CommonName)
	base = strings.ReplaceAll(base, " ", "-")
	for name, block := range map[string]*pem.Block{
		base + ".pem": {Type: "CERTIFICATE", Bytes: der},
		base + ".key": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return base + ".pem", base + ".key"
}

// pair reads a certificate and its key.
func pair(t testing.TB, cert, key string) []tls.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{p}
}

// A terminator speaks TLS in front of a server in memory.
type terminator struct {
	w      *world
	config atomic.Pointer[tls.Config]
}

// terminate returns a terminator whose certificate is for name.
func (w *world) terminate(a *authority, name string, valid time.Duration) *terminator {
	w.t.Helper()
	cert, key := a.For(name, valid)
	m := &terminator{w: w}
	m.config.Store(&tls.Config{Certificates: pair(w.t, cert, key)})
	return m
}

// Dial is a zk.DialFunc.
func (m *terminator) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	behind, err := m.w.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	secured := tls.Server(newBuffered(server), m.config.Load())
	go func() {
		io.Copy(behind, secured)
		behind.Close()
		io.Copy(io.Discard, server) // as a kernel would: the client may be writing
	}()
	go func() {
		io.Copy(secured, behind)
		secured.Close()
	}()
	return client, nil
}

// A buffered connection does not make a writer wait for the reader, as TCP does not. TLS relies on
// that: both sides may write at once.
type buffered struct {
	net.Conn
	queue chan []byte
	done  chan struct{}
	once  sync.Once
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, queue: make(chan []byte, 1000), done: make(chan struct{})}
	go b.send() // until Close
	return b
}

// send lets what was written arrive, if somebody reads, also after Close: an alert is the last
// thing that a server says.
func (b *buffered) send() {
	defer b.Conn.Close()
	for closed := false; ; {
		select {
		case packet := <-b.queue:
			b.Conn.Write(packet)
			continue
		default:
		}
		if closed {
			return
		}
		select {
		case packet := <-b.queue:
			b.Conn.Write(packet)
		case <-b.done:
			closed = true
		}
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.queue <- bytes.Clone(p):
		return len(p), nil
	case <-b.done:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() {
		b.SetWriteDeadline(time.Now().Add(time.Second))
		close(b.done)
	})
	return nil
}
