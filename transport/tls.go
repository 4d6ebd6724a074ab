package transport

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// protocol is the name by which both sides tell this use of TLS from others, such as HTTPS under
// the same certificate (RFC 7301).
const protocol = "daytime"

// A TLSSource returns the configuration of the next handshake. It may return one together with an
// error: the last that was good, and why there is no newer one. It is called concurrently.
type TLSSource func() (*tls.Config, error)

// ServerTLS makes the server speak TLS 1.3, and nothing older. A client that names protocols (ALPN)
// must name "daytime", unless the configuration has others; one that names none is served, such as
// openssl s_client. There are no session tickets, because a client that comes again comes for a new
// reply. By default the server speaks plain text.
//
// A handshake has 5 s. Handshakes take half of MaxConns at most, and no more than 1024 connections.
// Above that the one whose client has been silent longest gives way to the next, or the next is
// ended at once. They compute on all processors but one, so that a flood of them does not starve
// the replies; servers in one process share these if they are given one option. So a function of
// the configuration that waits, VerifyConnection for instance, holds up the other handshakes.
// Failed ones are told to the error handler in the manner of MaxConns.
func ServerTLS(source TLSSource) ServerOption {
	turns := newTurns()
	return func(s *Server) { s.tls, s.handshakes.computing = source, turns }
}

// ClientTLS makes the client speak TLS 1.3, and nothing else. The server must prove the name, which
// is that of the service and not of an address: whoever can write to a registry can have a client
// dial any address, but cannot prove the name there. It must not choose another protocol (ALPN)
// than "daytime", unless the configuration has others. A handshake that fails, also because the
// server wants another certificate of the client, matches ErrHandshake; the request is not sent, or
// refused unread. A reply that is cut off is never taken for a whole one. By default the client
// speaks plain text.
func ClientTLS(name string, source TLSSource) ClientOption {
	return func(c *Client) { c.tlsName, c.tls = name, source }
}

// strict returns a copy of config that holds to this package's rules.
func strict(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	config.SessionTicketsDisabled = true
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{protocol}
	}
	return config
}

// TLSFiles are the names of PEM files. Before each handshake they are read again if one of them has
// changed. While they cannot be read, are cut off, or do not fit together, as between the
// replacement of the one and of the other, the last good configuration stays in use, and they are
// tried once a second: what was wrong may end without a change of a file, such as a right that was
// lacking. A certificate that has ended does not take the place of one that has not, though the CA
// is the new one; one that has come to its end stays in use, together with an error.
type TLSFiles struct {
	Cert string // the own certificate, and those between it and its authority
	Key  string // its key
	CA   string // the authorities of the other side
}

// Server returns the source of a server: Cert and Key prove the name of the service. With CA, a
// client must have a certificate of that authority; without, any client is served. It fails if the
// files cannot be used, with ErrTLSAuthority if that is CA.
func (f TLSFiles) Server() (TLSSource, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("transport: TLS server: want a certificate and a key")
	}
	return f.source()
}

// Client returns the source of a client: CA is the authority of the servers, "" the system's. Cert
// and Key, both or none, are shown to servers that want a certificate. It fails if the files cannot
// be used, with ErrTLSAuthority if that is CA.
func (f TLSFiles) Client() (TLSSource, error) {
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("transport: TLS client: want both a certificate and a key, or none")
	}
	return f.source()
}

// source reads the files for the first time.
func (f TLSFiles) source() (TLSSource, error) {
	l := &tlsLoader{files: f}
	if config, err := l.load(); config == nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	return l.load, nil
}

// retryInterval is the time between two attempts to read files that cannot be used.
const retryInterval = time.Second

// read makes a configuration for either side: a client has no use for ClientCAs, a server none for
// RootCAs.
func (f TLSFiles) read() (*tls.Config, error) {
	config := &tls.Config{}
	if f.CA != "" {
		authorities, err := readPEM(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTLSAuthority, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("%w %s: no certificate, want PEM", ErrTLSAuthority, f.CA)
		}
		config.RootCAs, config.ClientCAs = pool, pool
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if f.Cert != "" {
		pair, err := f.readPair()
		if err != nil {
			return nil, fmt.Errorf("TLS certificate %s, key %s: %w", f.Cert, f.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
		// A server that wants a certificate is shown it, also if it names other authorities: its
		// refusal says more than the lack of one.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	return config, nil
}

// readPair reads the certificate and its key.
func (f TLSFiles) readPair() (tls.Certificate, error) {
	chain, err := readPEM(f.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(chain, key)
}

// readPEM reads a file of PEM blocks. It refuses one with a block that cannot be read, as when the
// file is being written: packages pem and x509 take what is left for the whole.
func readPEM(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	whole := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		whole++
	}
	lines := append([]byte("\n"), text...)
	if begun := bytes.Count(lines, []byte("\n-----BEGIN ")); whole < begun {
		return nil, fmt.Errorf("%s: of %d PEM blocks %d can be read", name, begun, whole)
	}
	return text, nil
}

// A tlsLoader reads files again when they have changed, or could not be used.
type tlsLoader struct {
	files TLSFiles

	mu     sync.Mutex // guards what follows
	seen   [3]os.FileInfo
	config *tls.Config // the last good one
	err    error       // of the last attempt
	tried  time.Time   // when that was
}

// load is a TLSSource.
func (l *tlsLoader) load() (*tls.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	retry := l.err != nil && time.Since(l.tried) >= retryInterval
	if l.changed() || retry {
		l.tried = time.Now()
		config, err := l.files.read()
		if err == nil && l.config != nil && l.files.ended(l.config) == nil {
			if err = l.files.ended(config); err != nil { // the authorities are the new ones
				config.Certificates = l.config.Certificates
				config.GetClientCertificate = l.config.GetClientCertificate
			}
		}
		if l.err = err; config != nil {
			l.config = config
		}
	}
	if l.config == nil {
		return nil, l.err
	}
	return l.config, cmp.Or(l.err, l.files.ended(l.config))
}

// ended is the error of a configuration whose own certificate has ended, or nil.
func (f TLSFiles) ended(config *tls.Config) error {
	for _, pair := range config.Certificates {
		if end := pair.Leaf.NotAfter; time.Now().After(end) {
			return fmt.Errorf("TLS certificate %s: it ended at %s", f.Cert, end.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// changed looks at the files and remembers them. It is called before they are read, so that a
// change in between is seen the next time.
func (l *tlsLoader) changed() bool {
	changed := false
	for i, name := range []string{l.files.Cert, l.files.Key, l.files.CA} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		changed = changed || !sameVersion(l.seen[i], info)
		l.seen[i] = info
	}
	return changed || l.config == nil
}

// sameVersion reports whether both are of one file that was not written in between.
func sameVersion(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
