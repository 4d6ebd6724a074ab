package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/daytime/transport"
)

// serviceName is what a server must prove in these tests.
const serviceName = "daytime.example.com"

// An authority issues certificates.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := a.create(template, template, a.key)
	a.cert, _ = x509.ParseCertificate(der)
	a.file = a.write("ca.pem", "CERTIFICATE", der)
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

func (a *authority) create(template, parent *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

// issue returns the files of a certificate for name, which ends after validity, if that is
// positive, or has ended. Files of the same name are replaced.
func (a *authority) issue(name string, validity time.Duration) transport.TLSFiles {
	a.t.Helper()
	key := newKey(a.t)
	der := a.create(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf"},
		DNSNames:  []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, key)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return transport.TLSFiles{
		Cert: a.write(name+".pem", "CERTIFICATE", der),
		Key:  a.write(name+".key", "PRIVATE KEY", secret),
	}
}

// write replaces a file, in the manner of a renewal.
func (a *authority) write(name, kind string, der []byte) (file string) {
	a.t.Helper()
	file = filepath.Join(a.dir, name)
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// must returns what a TLSFiles makes.
func must(t testing.TB) func(transport.TLSSource, error) transport.TLSSource {
	return func(source transport.TLSSource, err error) transport.TLSSource {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
}

// serverTLS is the option of a server with a good certificate.
func (a *authority) serverTLS() transport.ServerOption {
	a.t.Helper()
	return transport.ServerTLS(must(a.t)(a.issue(serviceName, time.Hour).Server()))
}

// clientTLS is the option of a client without a certificate.
func (a *authority) clientTLS() transport.ClientOption {
	a.t.Helper()
	source := must(a.t)(transport.TLSFiles{CA: a.file}.Client())
	return transport.ClientTLS(serviceName, source)
}

// config is that of a server of others, or an impostor.
func config(t testing.TB, files transport.TLSFiles) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}
