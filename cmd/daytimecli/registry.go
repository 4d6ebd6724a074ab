package main

import (
	"slices"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/sd"
	"example.com/daytime/sd/dns"
	"example.com/daytime/sd/file"
)

// schemes are the kinds of registry that the program knows, which report to e under a label.
func schemes(e *telemetry.Exporter) func(label string) sd.Schemes {
	return func(label string) sd.Schemes {
		return sd.Schemes{"zk": e.ZK(label), "etcd": e.Etcd(label), "dns": dns.Open,
			"file": file.Open, "fixed": sd.OpenFixed}
	}
}

// open opens the registries, and waits for nothing. Two kinds of messages can be left to the
// caller: the state, until it unmutes that, and the names that were left out.
func (c *config) open(stdio *shell.Stdio, muted, namesTold bool) (*discovery.Discovery, error) {
	return discovery.Open(discovery.Options{URLs: c.sd, Snapshots: c.snapshot,
		Schemes: schemes(c.exporter), Exporter: c.exporter, Timeout: c.timeout, Stdio: stdio,
		Muted: muted, NamesTold: namesTold})
}

// reserve is how long a server that was lost is kept: twice as long as the sessions or the leases of a
// registry outlive their owners, where that is longest, and 40 s at least.
func reserve(parts []*discovery.Part) time.Duration {
	longest := 40 * time.Second
	for _, p := range parts {
		for _, key := range []string{"session-timeout", "ttl"} { // of zk and of etcd
			timeout, _ := time.ParseDuration(p.Target.Keys[key])
			longest = max(longest, 2*timeout)
		}
	}
	return longest
}

// hasSnapshot reports whether a list is kept.
func (c *config) hasSnapshot() bool {
	return slices.ContainsFunc(c.snapshot, func(file string) bool { return file != "" })
}

// newLogger returns the logger of every command. Its lines name the registries they are about.
func (c *config) newLogger(stdio *shell.Stdio) kitlog.Logger {
	return kitlog.With(stdio.Logger(), "sd", c.sd.String())
}
