package etcdtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// startAttempts are made on different ports.
const startAttempts = 3

// An Option changes how members run.
type Option func(*config)

type config struct {
	tls   []string // arguments
	extra []string
}

// TLS has clients connect with TLS: cert and key are the member's, in PEM. If clientCA is given,
// clients must show a certificate of that authority.
func TLS(cert, key, clientCA string) Option {
	return func(c *config) {
		c.tls = []string{"--cert-file", cert, "--key-file", key}
		if clientCA != "" {
			c.tls = append(c.tls, "--client-cert-auth", "--trusted-ca-file", clientCA)
		}
	}
}

// Args adds arguments to etcd's command line.
func Args(args ...string) Option { return func(c *config) { c.extra = append(c.extra, args...) } }

// A Cluster is several members that vote. Like a Member it is driven by one goroutine at a time.
type Cluster struct{ members []*Member }

// Start runs one member until the end of the test. It returns once the member serves, and skips the
// test where etcd is not installed.
func Start(tb testing.TB, options ...Option) *Member {
	tb.Helper()
	return StartCluster(tb, 1, options...).members[0]
}

// StartCluster runs n members until the end of the test, and returns once all of them serve.
func StartCluster(tb testing.TB, n int, options ...Option) *Cluster {
	tb.Helper()
	needInstallation(tb)
	var c config
	for _, option := range options {
		option(&c)
	}
	var err error
	for range startAttempts { // a port may have been taken meanwhile
		var cluster *Cluster
		if cluster, err = prepare(tb, n, c); err != nil {
			break
		}
		if err = cluster.launch(); err == nil {
			return cluster
		}
		cluster.Kill(tb)
		if !errors.Is(err, errExited) {
			break
		}
	}
	tb.Fatalf("etcdtest: start: %v", err)
	return nil
}

// needInstallation ends the test when etcd cannot be run here: skipped, or failed where required.
func needInstallation(tb testing.TB) {
	tb.Helper()
	_, err := exec.LookPath("etcd")
	switch {
	case err == nil:
	case os.Getenv("REQUIRE_ETCD") == "1":
		tb.Fatalf("etcdtest: %v (REQUIRE_ETCD=1; %s)", err, installHint)
	default:
		tb.Skipf("etcdtest: %v (%s)", err, installHint)
	}
}

// prepare gives each of n members ports, a directory and arguments, and leaves them down.
func prepare(tb testing.TB, n int, c config) (*Cluster, error) {
	ports, err := freePorts(3 * n)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{}
	var urls []string
	for i := range n {
		m := &Member{name: fmt.Sprintf("m%d", i), dir: tb.TempDir()}
		m.client, m.metrics = ports[3*i], ports[3*i+1]
		if m.peer, err = forward(cluster, m, loopback(ports[3*i+2])); err != nil {
			return nil, err
		}
		tb.Cleanup(func() { m.cleanup(tb) })
		cluster.members = append(cluster.members, m)
		urls = append(urls, m.name+"=http://"+m.peer.addr())
	}
	for i, m := range cluster.members {
		m.peer.start()
		m.scheme = "http"
		if c.tls != nil {
			m.scheme = "https"
		}
		m.args = append([]string{
			"--name", m.name,
			"--data-dir", m.path("data"),
			"--logger", "zap", "--log-level", "error",
			"--listen-client-urls", m.scheme + "://" + m.Addr(),
			"--advertise-client-urls", m.scheme + "://" + m.Addr(),
			"--listen-metrics-urls", m.metricsURL(),
			"--listen-peer-urls", "http://" + loopback(ports[3*i+2]),
			"--initial-advertise-peer-urls", "http://" + m.peer.addr(),
			"--initial-cluster", strings.Join(urls, ","),
		}, slices.Concat(c.tls, c.extra)...)
	}
	return cluster, nil
}

// launch starts every member before it awaits the first, since one of a quorum does not serve
// alone.
func (c *Cluster) launch() error {
	for _, m := range c.members {
		if err := m.launch(); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if err := m.await(); err != nil {
			return err
		}
	}
	return nil
}

// Members are all of them.
func (c *Cluster) Members() []*Member { return slices.Clone(c.members) }

// Addrs are the members' addresses for clients, in the order of Members.
func (c *Cluster) Addrs() (addrs []string) {
	for _, m := range c.members {
		addrs = append(addrs, m.Addr())
	}
	return addrs
}

// Leader returns the member that leads. It waits up to 30 s for an election to end.
func (c *Cluster) Leader(tb testing.TB) *Member {
	tb.Helper()
	var leader *Member
	err := poll(serveBound, func() error {
		n := slices.IndexFunc(c.members, func(m *Member) bool { return !m.down() && m.leads() })
		if n < 0 {
			return errors.New("no member leads")
		}
		leader = c.members[n]
		return nil
	})
	if err != nil {
		tb.Fatalf("etcdtest: leader of %v: %v", c.Addrs(), err)
	}
	return leader
}

// Kill kills every member.
func (c *Cluster) Kill(tb testing.TB) { tb.Helper(); c.each(tb, (*Member).Kill) }

// Freeze freezes every member.
func (c *Cluster) Freeze(tb testing.TB) { tb.Helper(); c.each(tb, (*Member).Freeze) }

// Thaw thaws every member.
func (c *Cluster) Thaw(tb testing.TB) { tb.Helper(); c.each(tb, (*Member).Thaw) }

// Wipe kills every member and removes all data; the cluster stays down.
func (c *Cluster) Wipe(tb testing.TB) { tb.Helper(); c.each(tb, (*Member).Wipe) }

// Restart kills every member, starts all on what data there is, and returns once all serve.
func (c *Cluster) Restart(tb testing.TB) {
	tb.Helper()
	c.Kill(tb)
	c.Launch(tb)
}

// Launch starts every member that is down, and returns once all serve.
func (c *Cluster) Launch(tb testing.TB) {
	tb.Helper()
	c.each(tb, func(m *Member, tb testing.TB) {
		if m.down() {
			m.Launch(tb)
		}
	})
	c.each(tb, (*Member).Await)
}

// Isolate cuts m off from the other members, in both directions. Its clients stay connected.
func (c *Cluster) Isolate(m *Member) {
	for _, other := range c.members {
		other.peer.isolate(m)
	}
}

// Rejoin ends every isolation.
func (c *Cluster) Rejoin() {
	for _, m := range c.members {
		m.peer.isolate(nil)
	}
}

func (c *Cluster) each(tb testing.TB, do func(*Member, testing.TB)) {
	tb.Helper()
	for _, m := range c.members {
		do(m, tb)
	}
}
