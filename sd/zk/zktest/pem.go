package zktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ClientName is the common name in the client's certificate. ZooKeeper knows its bearer as
// x509:CN=zktest-client.
const ClientName = "zktest-client"

// A PEM is a certificate authority with one server certificate, for 127.0.0.1 and localhost, and
// one client certificate, all in files. Two of them do not trust each other.
type PEM struct {
	CA         string // path of the authority's certificate
	ClientCert string // path of the client's certificate
	ClientKey  string // path of the client's key

	serverStore string // key and certificate in one file, as Java wants them
}

// MakePEM writes the files to a temporary directory of the test.
func MakePEM(tb testing.TB) *PEM {
	tb.Helper()
	dir := tb.TempDir()
	p := &PEM{
		CA:          filepath.Join(dir, "ca.pem"),
		ClientCert:  filepath.Join(dir, "client.pem"),
		ClientKey:   filepath.Join(dir, "client.key"),
		serverStore: filepath.Join(dir, "server.pem"),
	}
	if err := p.write(); err != nil {
		tb.Fatalf("zktest: make certificates: %v", err)
	}
	return p
}

// TLSConfig is a client's configuration that trusts the authority and shows the client certificate.
func (p *PEM) TLSConfig(tb testing.TB) *tls.Config {
	tb.Helper()
	authority, err := os.ReadFile(p.CA)
	if err != nil {
		tb.Fatalf("zktest: read authority: %v", err)
	}
	certificate, err := tls.LoadX509KeyPair(p.ClientCert, p.ClientKey)
	if err != nil {
		tb.Fatalf("zktest: read client certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate},
		MinVersion: tls.VersionTLS12}
}

func (p *PEM) write() error {
	authority, err := newIdentity("zktest-ca", nil)
	if err != nil {
		return err
	}
	server, err := newIdentity("zktest-server", authority)
	if err != nil {
		return err
	}
	client, err := newIdentity(ClientName, authority)
	if err != nil {
		return err
	}
	for path, text := range map[string][]byte{
		p.CA:          authority.certPEM(),
		p.ClientCert:  client.certPEM(),
		p.ClientKey:   client.keyPEM,
		p.serverStore: append(server.keyPEM, server.certPEM()...),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

type identity struct {
	key    *ecdsa.PrivateKey
	keyPEM []byte
	cert   *x509.Certificate
}

// newIdentity makes a key and a certificate signed by the issuer, or by itself, as an authority,
// when there is none.
func newIdentity(name string, issuer *identity) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	id := &identity{key: key, keyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY",
		Bytes: pkcs8})}
	template := template(name, issuer == nil)
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	id.cert, err = x509.ParseCertificate(der)
	return id, err
}

func (id *identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.cert.Raw})
}

func template(name string, authority bool) *x509.Certificate {
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  authority,
	}
	if authority {
		t.KeyUsage = x509.KeyUsageCertSign
		return t
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	return t
}
