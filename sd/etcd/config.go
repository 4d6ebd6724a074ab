package etcd

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
)

const (
	defaultPath = "/go_servers"
	defaultPort = 2379
	defaultTTL  = 10 * time.Second
	minTTL      = time.Second
	maxTTL      = time.Hour
)

// grammar is part of every error about a target.
const grammar = "etcd://host[:port][,host[:port]...][/prefix][?ttl=10s][&policy=on|off]" +
	"[&tls-ca=FILE[&tls-cert=FILE&tls-key=FILE]][&auth-file=FILE]"

// A config is what a target says.
type config struct {
	cluster.Config      // whose key is the directory's own
	noPolicy       bool // whatever it says
}

// parseConfig reads what the target says and fills in the defaults.
func parseConfig(t sd.Target) (config, error) {
	c := config{Config: cluster.Config{TTL: defaultTTL}}
	for _, h := range t.Hosts {
		if h.Port == 0 {
			h.Port = defaultPort
		}
		c.Hosts = append(c.Hosts, h)
	}
	if c.Key = strings.TrimSuffix(t.Path, "/"); c.Key == "" {
		c.Key = defaultPath
	}
	err := checkPath(c.Key)
	for key, value := range t.Keys {
		err = errors.Join(err, c.set(key, value))
	}
	if err = errors.Join(err, c.TLS.Validate()); err != nil {
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
		c.TTL = d
	case "policy":
		if value != "on" && value != "off" {
			return fmt.Errorf("policy %q: want on or off", value)
		}
		c.noPolicy = value == "off"
	case "auth-file":
		c.AuthFile = value
	case "tls-ca":
		c.TLS.CA = value
	case "tls-cert":
		c.TLS.Cert = value
	case "tls-key":
		c.TLS.Key = value
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
	case path.Clean(p) != p, p[0] != '/', p == "/":
		return fmt.Errorf("path %q: want / at the beginning, no . or .. in it, and no //", p)
	}
	return nil
}

// prefix is what the keys of entries begin with.
func (c *config) prefix() string { return c.Key + "/" }
