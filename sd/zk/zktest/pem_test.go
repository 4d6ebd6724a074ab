package zktest_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/zk/zktest"
)

func dialTLS(config *tls.Config) gozk.Dialer {
	return func(network, addr string, timeout time.Duration) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: timeout}, network, addr, config)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	pem := zktest.MakePEM(t)
	server := zktest.Start(t, zktest.TLS(pem))

	t.Run("client is known by its certificate", func(t *testing.T) {
		conn := connectThrough(t, dialTLS(pem.TLSConfig(t)), server.SecureAddr())
		if _, err := conn.Create("/mine", nil, 0, gozk.AuthACL(gozk.PermAll)); err != nil {
			t.Fatal(err)
		}
		acl, _, err := conn.GetACL("/mine")
		want := gozk.ACL{Perms: gozk.PermAll, Scheme: "x509", ID: "CN=" + zktest.ClientName}
		if err != nil || len(acl) != 1 || acl[0] != want {
			t.Errorf("ACL: want %v, have %v, error %v", want, acl, err)
		}
		if want, have := int64(2), server.Metric(t, "zk_num_alive_connections"); want != have {
			t.Errorf("connections, the one that asks included: want %d, have %d", want, have)
		}
	})
	t.Run("clear text still works", func(t *testing.T) {
		mustCreate(t, connect(t, server.Addr()), "/clear", 0)
	})
	t.Run("strangers", func(t *testing.T) {
		stranger := zktest.MakePEM(t)
		noCertificate := pem.TLSConfig(t)
		noCertificate.Certificates = nil
		otherCertificate := pem.TLSConfig(t)
		otherCertificate.Certificates = stranger.TLSConfig(t).Certificates
		for name, config := range map[string]*tls.Config{
			"client without certificate":          noCertificate,
			"client certificate of another CA":    otherCertificate,
			"client that does not know server CA": stranger.TLSConfig(t),
		} {
			if err := handshake(server.SecureAddr(), config); err == nil {
				t.Errorf("%s: want an error, have none", name)
			}
		}
		if err := handshake(server.SecureAddr(), pem.TLSConfig(t)); err != nil {
			t.Errorf("the right one: %v", err)
		}
	})
	t.Run("restart", func(t *testing.T) {
		server.Restart(t)
		connectThrough(t, dialTLS(pem.TLSConfig(t)), server.SecureAddr())
	})
}

// handshake reads as well: in TLS 1.3 a server's refusal of the client's certificate comes after
// the client's part is done. A server content with the client waits for its request, until the
// deadline.
func handshake(addr string, config *tls.Config) error {
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return nil
	}
	return err
}
