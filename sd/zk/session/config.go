package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 24 * 24 * time.Hour // milliseconds of 31 bits on the wire
)

// LookupFunc returns the addresses of a host; network is "ip4" or "ip6". It must return when ctx is
// done. That there is none is a failure, with an error or without. net.Resolver has it as
// LookupNetIP.
type LookupFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// DialFunc opens a connection to one ZooKeeper server.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A Config says to which servers a Session connects, and how.
type Config struct {
	// Hosts are the servers, each host:port. A name may have several addresses: each is a server of
	// its own. Names are looked up whenever servers are about to be tried, beside the dials; the
	// last result is kept while that fails.
	Hosts []string
	// Timeout is the session timeout that is asked for, 10 s by default. A server grants 2 to 20 of
	// its ticks.
	Timeout time.Duration
	// TLS makes every connection one with TLS, 1.2 or later. By default there is none.
	TLS TLS
	// AuthFile is a file with one line, user:password, for the scheme digest; "" is none. It must
	// be a regular file of this process's user or of root, with mode 0640 or stricter. It is read
	// at every dial.
	AuthFile string
	// Dial makes the connections. By default a net.Dialer does. It has a second, or less while
	// there is a session to be saved.
	Dial DialFunc
	// Lookup resolves the names of hosts. By default the system's resolver does, or Dial, if there
	// is one, which then gets names.
	Lookup LookupFunc
	// Expired is called when a session has ended against our will: a server says so, or has no
	// memory of it. It must not block. Nil is none.
	Expired func()
}

// Validate returns an error if c cannot be right. It does no I/O.
func (c Config) Validate() error {
	var err error
	if len(c.Hosts) == 0 {
		err = errors.New("hosts: want one at least")
	}
	for _, h := range c.Hosts {
		if _, _, bad := net.SplitHostPort(h); bad != nil {
			err = errors.Join(err, fmt.Errorf("host %q: want host:port", h))
		}
	}
	if c.Timeout != 0 && (c.Timeout < time.Millisecond || c.Timeout > maxTimeout) {
		err = errors.Join(err, fmt.Errorf("timeout %v: want a millisecond at least, and %v at most",
			c.Timeout, maxTimeout))
	}
	return errors.Join(err, c.TLS.validate())
}

// Check is Validate, and reads the files that c names, so that a wrong one is told at once.
func (c Config) Check() error {
	err := c.Validate()
	_, bad := c.secret()
	err = errors.Join(err, bad)
	if c.TLS.used() {
		_, bad := c.TLS.load()
		err = errors.Join(err, bad)
	}
	return err
}

// secret reads "user:password", or nil if no file for it is named.
func (c Config) secret() ([]byte, error) {
	if c.AuthFile == "" {
		return nil, nil
	}
	return readSecret(c.AuthFile)
}

// withDefaults returns c with the defaults filled in.
func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Expired == nil {
		c.Expired = func() {}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
		if c.Lookup == nil {
			c.Lookup = net.DefaultResolver.LookupNetIP
		}
	}
	return c
}
