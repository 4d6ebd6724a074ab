package etcd

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/daytime/sd"
)

const (
	defaultPath = "/go_servers"
	defaultPort = 2379
	defaultTTL  = 10 * time.Second
	minTTL      = time.Second
	maxTTL      = time.Hour
	minPatience = time.Second
)

// grammar is part of every error about a target.
const grammar = "etcd://host[:port][,host[:port]...][/prefix][?ttl=10s][&policy=on|off]" +
	"[&tls-ca=FILE[&tls-cert=FILE&tls-key=FILE]][&auth-file=FILE]"

// A config is what a target says.
type config struct {
	hosts    []sd.Host // with ports
	parent   string    // the prefix without the slash at its end
	ttl      time.Duration
	tls      tlsFiles
	authFile string // "" is none
	noPolicy bool   // whatever it says
}

// parseConfig reads what the target says and fills in the defaults.
func parseConfig(t sd.Target) (config, error) {
	c := config{ttl: defaultTTL}
	for _, h := range t.Hosts {
		if h.Port == 0 {
			h.Port = defaultPort
		}
		c.hosts = append(c.hosts, h)
	}
	if c.parent = strings.TrimSuffix(t.Path, "/"); c.parent == "" {
		c.parent = defaultPath
	}
	err := checkPath(c.parent)
	for key, value := range t.Keys {
		err = errors.Join(err, c.set(key, value))
	}
	if err = errors.Join(err, c.tls.complete()); err != nil {
		t.Keys = nil // a mistaken key may have given a secret
		return config{}, fmt.Errorf("target %s: %w; want %s", t, err, grammar)
	}
	return c, nil
}

// set takes in one key of the target.
func (c *config) set(key, value string) error {
	switch key {
	case "ttl":
		d, err := time.ParseDuration(value)
		if err != nil || d < minTTL || d > maxTTL || d%time.Second != 0 {
			return fmt.Errorf("ttl %q: want whole seconds from %v to %v, such as 10s",
				value, minTTL, maxTTL)
		}
		c.ttl = d
	case "policy":
		if value != "on" && value != "off" {
			return fmt.Errorf("policy %q: want on or off", value)
		}
		c.noPolicy = value == "off"
	case "auth-file":
		c.authFile = value
	case "tls-ca":
		c.tls.ca = value
	case "tls-cert":
		c.tls.cert = value
	case "tls-key":
		c.tls.key = value
	default:
		return fmt.Errorf("key %q: want ttl, policy, tls-ca, tls-cert, tls-key or auth-file", key)
	}
	return nil
}

// checkPath refuses paths of which it is not clear what they mean.
func checkPath(p string) error {
	switch {
	case strings.ContainsAny(p, ",;# "):
		return fmt.Errorf("path %q: want no , or ; or # and no blank: all hosts stand before the path", p)
	case path.Clean(p) != p, p[0] != '/':
		return fmt.Errorf("path %q: want / at the beginning, no . or .. in it, and no //", p)
	}
	return nil
}

// checkFiles reads the files that the target names, so that a wrong one is told at once. They are
// read again when they are used.
func (c *config) checkFiles() error {
	_, _, err := c.credentials()
	if c.tls.used() {
		_, bad := c.tls.load()
		err = errors.Join(err, bad)
	}
	return err
}

// credentials reads user and password, which are empty if the target names no file for them.
func (c *config) credentials() (user, password string, err error) {
	if c.authFile == "" {
		return "", "", nil
	}
	return readSecret(c.authFile)
}

// prefix is what the keys of entries begin with.
func (c *config) prefix() string { return c.parent + "/" }

// patience is how long a member may owe a sign of life, so that another one can be asked before a
// lease ends.
func (c *config) patience() time.Duration { return min(max(c.ttl/3, minPatience), requestTimeout) }
