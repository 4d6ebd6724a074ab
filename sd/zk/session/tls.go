package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"example.com/daytime/sd/zk/session/internal/hosts"
)

// A TLS names PEM files. They are read at every dial, so that a certificate can be replaced while
// the program runs. In errors they are tls-ca, tls-cert and tls-key.
type TLS struct {
	CA        string // the authorities that are trusted, and no others; "" is no TLS
	Cert, Key string // the client's own, shown to servers; "" is none
}

// used reports whether connections are made with TLS. There is no way back to clear text once they
// are.
func (t TLS) used() bool { return t.CA != "" }

// validate refuses what was probably not meant.
func (t TLS) validate() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("tls-cert and tls-key: want both or none")
	case t.Cert != "" && t.CA == "":
		return errors.New("tls-cert: want tls-ca as well, the authority that servers are checked against")
	}
	return nil
}

// load reads the files.
func (t TLS) load() (*tls.Config, error) {
	authority, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls-ca: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("tls-ca: no certificate in %s: want PEM", t.CA)
	}
	if t.Cert == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls-cert %s, tls-key %s: %w", t.Cert, t.Key, err)
	}
	// It is shown to every server that asks, also to one that names other authorities: the server's
	// refusal says more than its missing it.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &pair, nil
	}
	return config, nil
}

// secure does the handshake over conn, which it closes if that fails. The server must prove that it
// is the host as it is configured: what a name resolves to is in the hands of others.
func (t TLS) secure(ctx context.Context, conn net.Conn, to hosts.Server) (net.Conn, error) {
	config, err := t.load()
	if err == nil {
		config.ServerName, _, err = net.SplitHostPort(to.Host)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	secured := &tlsConn{tls.Client(conn, config), t.Cert != ""}
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%v: TLS handshake: %w%s", to, secured.explain(err), hintTLS(err))
	}
	return secured, nil
}

// hintTLS says what to look for when the other side does not seem to speak TLS, or an old one.
func hintTLS(err error) string {
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &certificate), errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &network) && network.Timeout(): // context.DeadlineExceeded, too
		return ""
	case isAlert(err) && !strings.Contains(err.Error(), "protocol version"):
		return ""
	}
	return ": want a port with TLS 1.2 or later"
}

// isAlert reports whether the other side has said in TLS's own way why it refuses.
func isAlert(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}

// A tlsConn is the client's end of a connection with TLS.
type tlsConn struct {
	*tls.Conn
	shown bool // there is a client certificate
}

// Read reads. With TLS 1.3 it is the first Read that tells whether the server accepts the client's
// certificate.
func (c *tlsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.explain(err)
}

// Close closes without TLS's goodbye, which waits up to 5 s for a server that does not read.
// Requests and replies have lengths: one that is cut is noticed.
func (c *tlsConn) Close() error { return c.NetConn().Close() }

// explain marks an alert, by which a server refuses the client.
func (c *tlsConn) explain(err error) error {
	switch {
	case !isAlert(err):
		return err
	case c.shown:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	default:
		return fmt.Errorf("%w: %w, and there is no tls-cert", ErrDenied, err)
	}
}
