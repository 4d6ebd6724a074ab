package zk

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/daytime/sd"
)

const (
	defaultPath    = "/go_servers"
	defaultPort    = 2181
	defaultTimeout = 10 * time.Second
	leastTimeout   = time.Second // a server with ticks of 500 ms grants no less
	mostTimeout    = time.Hour
)

// targetGrammar is part of every error about a target.
const targetGrammar = "zk://host[:port][,host[:port]...][/path][?session-timeout=10s][&watch=auto|persistent|children]"

// watchMode says how a directory is watched.
type watchMode string

const (
	watchAuto       watchMode = "auto"       // persistent where the server can
	watchPersistent watchMode = "persistent" // one watch for the whole time, ZooKeeper 3.6 and later
	watchChildren   watchMode = "children"   // one-shot watches and a list for each change
)

// A config is what a target says.
type config struct {
	hosts   []string // host:port
	parent  string   // the directory
	timeout time.Duration
	watch   watchMode
}

// parseConfig reads what the target says and fills in the defaults.
func parseConfig(t sd.Target) (config, error) {
	c := config{parent: t.Path, timeout: defaultTimeout, watch: watchAuto}
	for _, h := range t.Hosts {
		if h.Port == 0 {
			h.Port = defaultPort
		}
		c.hosts = append(c.hosts, h.String())
	}
	if c.parent == "" || c.parent == "/" {
		c.parent = defaultPath
	}
	err := checkPath(c.parent)
	for key, value := range t.Keys {
		err = errors.Join(err, c.set(key, value))
	}
	if err != nil {
		return config{}, fmt.Errorf("target %s: %w; want %s", t, err, targetGrammar)
	}
	return c, nil
}

// set takes in one key of the target.
func (c *config) set(key, value string) error {
	switch key {
	case "session-timeout":
		d, err := time.ParseDuration(value)
		if err != nil || d < leastTimeout || d > mostTimeout {
			return fmt.Errorf("session-timeout %q: want a duration from %v to %v, such as 10s", value, leastTimeout, mostTimeout)
		}
		c.timeout = d
	case "watch":
		switch c.watch = watchMode(value); c.watch {
		case watchAuto, watchPersistent, watchChildren:
		default:
			return fmt.Errorf("watch %q: want %s, %s or %s", value, watchAuto, watchPersistent, watchChildren)
		}
	default:
		return fmt.Errorf("key %q: want session-timeout or watch", key)
	}
	return nil
}

// checkPath refuses what ZooKeeper would, and what it would read differently.
func checkPath(p string) error {
	switch {
	case p == "/zookeeper" || strings.HasPrefix(p, "/zookeeper/"):
		return fmt.Errorf("path %q: /zookeeper is ZooKeeper's own", p)
	case path.Clean(p) != p:
		return fmt.Errorf("path %q: want no //, no . or .., and no / at the end", p)
	}
	return nil
}
