// Package words asks a ZooKeeper with four letter words: a question in the place of the first frame
// of a connection, answered with text for people. A ZooKeeper answers those that its configuration
// lists (4lw.commands.whitelist), by default srvr alone.
//
//	speaker := words.Speaker{Address: "192.0.2.1:2181", Timeout: time.Second}
//	text, _, err := speaker.Ask(ctx, "srvr")
//	server, err := words.ParseSrvr(text)
//
// Format: https://zookeeper.apache.org/doc/r3.8.4/zookeeperAdmin.html#sc_4lw
package words

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxWord is how much of the answer to a four letter word is read: dump has a line for each
// ephemeral node.
const maxWord = 64 << 20

// ErrNotListed is of a word that the server does not answer: by default it answers srvr alone.
var ErrNotListed = errors.New("not in 4lw.commands.whitelist")

// A Speaker asks one address of a ZooKeeper.
type Speaker struct {
	Address string
	TLS     *tls.Config // nil: in clear text
	Timeout time.Duration
}

// Ask returns the answer to a word, and the server's certificate, if it has one.
func (s Speaker) Ask(ctx context.Context, word string) (
	answer string, cert *x509.Certificate, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return "", cert, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if s.TLS != nil {
		secured := tls.Client(conn, s.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			return "", cert, err
		}
		cert = secured.ConnectionState().PeerCertificates[0]
		conn = secured
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", cert, err
	}
	text, err := io.ReadAll(io.LimitReader(conn, maxWord))
	switch {
	case strings.Contains(string(text), "not in the whitelist"):
		return "", cert, ErrNotListed
	case len(text) == 0 && err == nil:
		err = io.EOF
	}
	return string(text), cert, err
}

// Secure is the configuration of a Speaker that trusts the authorities in the file ca, and shows
// the certificate in cert, if there is one, to a server that proves the name in host, a host:port.
// It is nil without ca. Files that cannot be read leave nobody trusted, and nothing shown.
func Secure(ca, cert, key, host string) *tls.Config {
	name, _, err := net.SplitHostPort(host)
	if err != nil || ca == "" {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: name}
	if authority, err := os.ReadFile(ca); err == nil {
		c.RootCAs.AppendCertsFromPEM(authority)
	}
	if pair, err := tls.LoadX509KeyPair(cert, key); err == nil {
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// A Server is what a member says of itself in answer to srvr. The zero value is one that says
// nothing.
type Server struct {
	Version string // 3.8.0
	Mode    string // standalone, leader, follower, observer, read-only; "" if it does not serve
	Zxid    int64  // of the last change it has seen
	Idle    bool   // it answers, and does not serve
}

// Known reports whether it has said anything.
func (s Server) Known() bool { return s.Version != "" || s.Idle }

// ParseSrvr reads the answer to srvr.
func ParseSrvr(text string) (s Server, err error) {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case strings.Contains(line, "not currently serving requests"):
			s.Idle = true
		case !found:
		case key == "Zookeeper version":
			s.Version, _, _ = strings.Cut(value, ",")
			s.Version, _, _ = strings.Cut(s.Version, "-")
		case key == "Mode":
			s.Mode = value
		case key == "Zxid":
			if s.Zxid, err = strconv.ParseInt(value, 0, 64); err != nil {
				return Server{}, fmt.Errorf("zxid %.40q: %w", value, err)
			}
		}
	}
	if !s.Known() {
		return s, fmt.Errorf("no answer to srvr: %.60q", text)
	}
	return s, nil
}

// OlderThan reports whether a version is below another, both as 3.8.0. What is no version is not.
func OlderThan(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n < 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// Sessions returns the ids of the sessions that dump lists, and false if it lists none: the form is
// that of ZooKeeper 3.5 to 3.9, where the leader, or a server alone, has all sessions.
func Sessions(dump string) (map[int64]bool, bool) {
	sessions := map[int64]bool{}
	section := false
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "Global Sessions("), strings.HasPrefix(line, "Session Sets ("):
			section = true
		case strings.HasPrefix(line, "ephemeral nodes dump"):
			return sessions, section && len(sessions) > 0
		case section && strings.HasPrefix(line, "0x"):
			text, _, _ := strings.Cut(line, "\t")
			if id, err := strconv.ParseUint(text, 0, 64); err == nil {
				sessions[int64(id)] = true
			}
		}
	}
	return sessions, section && len(sessions) > 0
}
