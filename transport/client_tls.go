package transport

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
)

// tlsConfig returns the configuration of this call, nil for plain text.
func (x *call) tlsConfig() (*tls.Config, error) {
	if x.tls == nil {
		return nil, nil
	}
	if x.tlsName == "" {
		return nil, errors.New("ClientTLS: want the name of the service")
	}
	config, err := x.tls()
	if config == nil {
		return nil, fmt.Errorf("ClientTLS: %w", cmp.Or(err, errNoConfiguration))
	}
	x.outdated = err // the last good one will do
	config = strict(config)
	config.ServerName = x.tlsName
	return config, nil
}

// exchangeOverTLS is exchange after a handshake. The connection is not closed in the manner of TLS,
// which may wait for a server that does not read: the reply is complete by then.
func (x *call) exchangeOverTLS(config *tls.Config, text []byte) (any, error) {
	secured := tls.Client(noticingConn{x.conn}, config)
	if err := secured.Handshake(); err != nil {
		return nil, x.noHandshake(err, hintTLS(err))
	}
	x.conn = secured
	reply := &tlsReply{conn: secured}
	response, err := x.exchange(text, reply)
	if err != nil && reply.refusal != nil {
		return nil, x.noHandshake(reply.refusal, "")
	}
	return response, err
}

// noHandshake is the error of a call whose handshake failed. It says as well if that was with an
// old configuration, which may be why.
func (x *call) noHandshake(err error, hint string) error {
	x.unsent = true
	if x.outdated != nil {
		hint += fmt.Sprintf(" (with what was read before: %v)", x.outdated)
	}
	return fmt.Errorf("%w: %w%s", ErrHandshake, err, hint)
}

// hintTLS asks about the port when the other side does not seem to speak TLS, or an old one: when it
// has neither shown a certificate nor said in TLS's own way why it refuses, and is not just silent. A
// server that is busy, or about to end, closes as such a port does.
func hintTLS(err error) string {
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate), errors.Is(err, os.ErrDeadlineExceeded):
		return ""
	case errors.As(err, &operation) && operation.Op == "remote error" &&
		!strings.Contains(err.Error(), "protocol version"):
		return ""
	case errors.As(err, &operation) && operation.Op == "remote error", errors.As(err, &record):
		return " (is it a port with TLS 1.3?)"
	}
	return " (is it a port with TLS 1.3? Or is the server busy, or about to end?)"
}

// A noticingConn tells a FIN from close_notify. Package tls takes both for the end, as many web
// servers need it; by RFC 8446 §6.1 the first may be a truncation.
type noticingConn struct{ net.Conn }

var errTruncated = fmt.Errorf("%w, without close_notify", io.ErrUnexpectedEOF)

// Read reads.
func (c noticingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = errTruncated
	}
	return n, err
}

// A tlsReply is the reader of a client's decoder. It tells a reply that was cut off from one that
// has ended: anybody on the way can send a FIN or a RST, or hold packets back, but only the server
// can send close_notify. So it is no quietReader, and no reset or alert ends a line.
type tlsReply struct {
	conn    *tls.Conn
	begun   bool
	refusal error // the alert by which the server refuses the certificate, before it reads anything
}

// Read reads. With TLS 1.3 the first Read tells whether the server accepts the client's
// certificate, because the server checks it after the client has begun to send.
func (r *tlsReply) Read(p []byte) (int, error) {
	n, err := r.conn.Read(p)
	switch {
	case !r.begun && n == 0 && refused(err):
		r.refusal = err
	case errors.Is(err, syscall.ECONNRESET), isBroken(err):
		err = fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, err)
	}
	r.begun = r.begun || n > 0
	return n, err
}

// isBroken reports whether TLS has ended the connection: by an alert, ours or the server's, or because
// what came is no record.
func isBroken(err error) bool {
	var alert *net.OpError
	var record tls.RecordHeaderError
	return errors.As(err, &alert) && (alert.Op == "local error" || alert.Op == "remote error") ||
		errors.As(err, &record)
}

// refused reports whether err is an alert about a certificate (RFC 8446 §6.2). Package tls has no
// type for it, but a number.
func refused(err error) bool {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return false
	}
	alert := reflect.ValueOf(remote.Err)
	if alert.Kind() != reflect.Uint8 {
		return false
	}
	const (
		badCertificate      = 42 // and unsupported, revoked, expired, unknown
		certificateUnknown  = 46
		unknownAuthority    = 48
		accessDenied        = 49
		certificateRequired = 116
	)
	number := alert.Uint()
	return badCertificate <= number && number <= certificateUnknown ||
		number == unknownAuthority || number == accessDenied || number == certificateRequired
}
