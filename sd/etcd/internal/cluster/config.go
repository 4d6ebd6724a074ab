package cluster

import (
	"errors"
	"time"

	"example.com/daytime/sd"
)

const minPatience = time.Second

// A Config says where a cluster is, and who asks.
type Config struct {
	Hosts    []sd.Host // with ports
	TLS      TLS
	AuthFile string        // with user:password; "" is none
	TTL      time.Duration // of the leases that are to be saved
	Key      string        // which a new connection is tried with
}

// CheckFiles reads the files that are named, so that a wrong one is told at once. They are read
// again when they are used.
func (c *Config) CheckFiles() error {
	_, _, err := c.credentials()
	if c.TLS.used() {
		_, bad := c.TLS.load()
		err = errors.Join(err, bad)
	}
	return err
}

// credentials reads user and password, which are empty if no file is named for them.
func (c *Config) credentials() (user, password string, err error) {
	if c.AuthFile == "" {
		return "", "", nil
	}
	return readSecret(c.AuthFile)
}

// Patience is how long a member may owe a sign of life, so that another one can be asked before a
// lease ends.
func (c *Config) Patience() time.Duration { return min(max(c.TTL/3, minPatience), RequestTimeout) }
