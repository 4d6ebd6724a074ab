package zk

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/layout"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

const (
	defaultPath    = "/go_servers"
	defaultPort    = 2181
	defaultTimeout = 10 * time.Second
	minTimeout     = time.Second // a server with ticks of 500 ms grants no less
	maxTimeout     = time.Hour
)

// The values of acl.
const (
	aclOpen    = "open"    // everybody may do everything
	aclCreator = "creator" // everybody may read, those with our credentials do the rest
)

// A config holds a target.
type config struct {
	session   session.Config
	directory watch.Config
	acl       []gozk.ACL // of what is created
}

// parseConfig reads a target and fills in the defaults.
func parseConfig(t sd.Target) (config, error) {
	c := config{
		directory: watch.Config{Parent: t.Path, Mode: watch.Auto},
		acl:       gozk.WorldACL(gozk.PermAll),
	}
	c.session.Timeout = defaultTimeout
	for _, h := range t.Hosts {
		if h.Port == 0 {
			h.Port = defaultPort
		}
		c.session.Hosts = append(c.session.Hosts, h.String())
	}
	var err error
	if c.directory.Parent == "" || c.directory.Parent == "/" {
		c.directory.Parent = defaultPath
		if name, other := t.Keys["layout"]; other {
			err = fmt.Errorf("layout %.64q: want the path of its directory as well", name)
		}
	}
	err = errors.Join(err, checkPath(c.directory.Parent))
	for key, value := range t.Keys {
		err = errors.Join(err, c.set(key, value))
	}
	err = errors.Join(err, c.session.Validate())
	if t.Keys["acl"] == aclCreator && c.session.AuthFile == "" && c.session.TLS.Cert == "" {
		err = errors.Join(err,
			errors.New("acl creator: want auth-file or tls-cert as well, to be known by"))
	}
	if err != nil {
		t.Keys = nil // a key that is none may hold a secret
		return config{}, fmt.Errorf("target %s: %w", t, err)
	}
	return c, nil
}

// target is t with the defaults filled in, and without keys.
func (c *config) target(t sd.Target) sd.Target {
	full := sd.Target{Scheme: t.Scheme, Path: c.directory.Parent}
	for _, h := range t.Hosts {
		full.Hosts = append(full.Hosts, sd.Host{Name: h.Name, Port: cmp.Or(h.Port, defaultPort)})
	}
	return full
}

// set takes in one key of the target.
func (c *config) set(key, value string) error {
	switch key {
	case "session-timeout":
		d, err := time.ParseDuration(value)
		if err != nil || d < minTimeout || d > maxTimeout {
			return fmt.Errorf("session-timeout %q: want a duration from %v to %v, such as 10s",
				value, minTimeout, maxTimeout)
		}
		c.session.Timeout = d
	case "watch":
		c.directory.Mode = watch.Mode(value)
		return oneOf(key, value,
			string(watch.Auto), string(watch.Persistent), string(watch.Children))
	case "policy":
		c.directory.NoPolicy = value == "off"
		return oneOf(key, value, "on", "off")
	case "layout":
		l, err := layout.Parse(value)
		if err != nil {
			return err
		}
		c.directory.Layout = &l
	case "acl":
		if value == aclCreator {
			c.acl = creatorACL()
		}
		return oneOf(key, value, aclOpen, aclCreator)
	default:
		if file := c.file(key); file != nil {
			*file = value
			return nil
		}
		return fmt.Errorf("key %q: want session-timeout, watch, policy, layout, "+
			"tls-ca, tls-cert, tls-key, auth-file or acl", key)
	}
	return nil
}

// oneOf returns an error unless value is allowed.
func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	last := len(allowed) - 1
	return fmt.Errorf("%s %q: want %s or %s",
		key, value, strings.Join(allowed[:last], ", "), allowed[last])
}

// file is where the name of a file is kept that key names, or nil.
func (c *config) file(key string) *string {
	return map[string]*string{
		"auth-file": &c.session.AuthFile,
		"tls-ca":    &c.session.TLS.CA,
		"tls-cert":  &c.session.TLS.Cert,
		"tls-key":   &c.session.TLS.Key,
	}[key]
}

// creatorACL lets those with our credentials do everything, and everybody read. The scheme auth
// stands for all that the creator has proved: a digest, a client certificate, or both.
func creatorACL() []gozk.ACL {
	return append(gozk.AuthACL(gozk.PermAll), gozk.WorldACL(gozk.PermRead)...)
}

// checkPath refuses a path that ZooKeeper refuses, or reads differently.
func checkPath(p string) error {
	switch {
	case p == "/zookeeper" || strings.HasPrefix(p, "/zookeeper/"):
		return fmt.Errorf("path %q: want another, /zookeeper is ZooKeeper's own", p)
	case strings.Contains(p, "%"):
		return fmt.Errorf("path %q: want no %%", p) // package session keeps /% to itself
	case strings.ContainsAny(p, ",;# \t"): // which sd.ParseTarget refuses as well
		return fmt.Errorf("path %q: want no , ; # or blank: all hosts stand before the path", p)
	case path.Clean(p) != p, p[0] != '/':
		return fmt.Errorf("path %q: "+
			"want / at the beginning, no //, no . or .., and no / at the end", p)
	}
	return nil
}
