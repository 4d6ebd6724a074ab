package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"example.com/daytime/sd"
)

// maxSecret bounds user and password together.
const maxSecret = 1024

// A TLS names PEM files. They are read at every dial, so that a certificate can be replaced while
// the program runs. In errors they are tls-ca, tls-cert and tls-key.
type TLS struct {
	CA        string // whose servers to trust, and nobody else's; "" is no TLS
	Cert, Key string // to show to a server; "" is none
}

// used reports whether connections are made with TLS. There is no way back to clear text once a
// target asks for it.
func (f TLS) used() bool { return f.CA != "" }

// Validate refuses what was probably not meant.
func (f TLS) Validate() error {
	switch {
	case (f.Cert == "") != (f.Key == ""):
		return errors.New("tls-cert and tls-key: want both or none")
	case f.Cert != "" && f.CA == "":
		return errors.New("tls-cert: want tls-ca as well, the authority that servers are checked against")
	}
	return nil
}

// load reads the files.
func (f TLS) load() (*tls.Config, error) {
	authority, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("tls-ca: %w", err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    x509.NewCertPool(),
		NextProtos: []string{"h2"},
	}
	if !config.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("tls-ca: no certificate in %s: want PEM", f.CA)
	}
	if f.Cert == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("tls-cert %s, tls-key %s: %w", f.Cert, f.Key, err)
	}
	// It is shown to every server that asks, also to one that names other authorities: the server's
	// refusal says more than its missing it.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &pair, nil
	}
	return config, nil
}

// secure does the handshake over conn, which it closes if that fails. The server must prove that it
// is the host of the target: what that resolves to is in the hands of others.
func (f TLS) secure(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	config, err := f.load()
	if err != nil {
		conn.Close()
		return nil, err
	}
	config.ServerName = host
	secured := &tlsConn{tls.Client(conn, config), f.Cert != ""}
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake: %w%s", secured.explain(err), hintTLS(err))
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
func (c *tlsConn) Close() error { return c.NetConn().Close() }

// explain marks an alert, by which a server refuses the client.
func (c *tlsConn) explain(err error) error {
	switch {
	case !isAlert(err):
		return err
	case c.shown:
		return fmt.Errorf("%w: %w", sd.ErrDenied, err)
	default:
		return fmt.Errorf("%w: %w, and there is no tls-cert", sd.ErrDenied, err)
	}
}

// readSecret reads "user:password" from a file. Its errors name the file and what is allowed, and
// never what is in it.
func readSecret(name string) (user, password string, err error) {
	text, err := readOwn(name)
	if err != nil {
		return "", "", fmt.Errorf("auth-file %s: %w", name, err)
	}
	secret := string(bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")))
	user, password, found := strings.Cut(secret, ":")
	if !found || user == "" || password == "" || len(text) > maxSecret ||
		strings.ContainsAny(secret, "\r\n\x00") || strings.HasPrefix(secret, "\ufeff") {
		return "", "", fmt.Errorf(
			"auth-file %s: want one line, user:password, of %d bytes at most, without a byte order mark",
			name, maxSecret)
	}
	return user, password, nil
}

// readOwn reads a file that nobody else may read.
func readOwn(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold it up
	if err != nil {
		return nil, errors.Unwrap(err) // without the name, which stands there already
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const want = "want a regular file of this user's or root's, " +
		"with mode 0640 or stricter: written by its owner alone, and not read by others"
	switch mode := info.Mode(); {
	case !mode.IsRegular() || mode.Perm()&0o026 != 0:
		return nil, fmt.Errorf("mode %v: %s", mode, want)
	case !isOurs(info):
		return nil, errors.New("another user's: " + want)
	}
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}
