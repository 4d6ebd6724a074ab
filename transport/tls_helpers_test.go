package transport_test

import (
	"crypto/tls"
	"testing"
	"time"

	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// serviceName is what a server must prove in these tests.
const serviceName = "daytime.example.com"

// An authority issues certificates.
type authority struct {
	*transporttest.Authority
	t testing.TB
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	return &authority{transporttest.NewAuthority(t), t}
}

// issue returns the files of a certificate for name.
func (a *authority) issue(name string, validity time.Duration) transport.TLSFiles {
	a.t.Helper()
	cert, key := a.Issue(name, validity)
	return transport.TLSFiles{Cert: cert, Key: key}
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
	source := must(a.t)(transport.TLSFiles{CA: a.File}.Client())
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
