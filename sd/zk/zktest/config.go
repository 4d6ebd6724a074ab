package zktest

import (
	"fmt"
	"strings"
	"time"
)

// An Option changes how servers are started.
type Option func(*config)

type config struct {
	tick  time.Duration
	pem   *PEM
	extra []string
}

// TickTime sets ZooKeeper's unit of time; sessions last between 2 and 20 ticks. By default, 500 ms.
func TickTime(d time.Duration) Option {
	return func(c *config) { c.tick = d }
}

// Config adds lines such as "maxClientCnxns=1" to the end of zoo.cfg, where they override ours. By
// default, there are none: any number of clients per address, no admin server, every four letter
// word, no fsync.
func Config(lines ...string) Option {
	return func(c *config) { c.extra = append(c.extra, lines...) }
}

// TLS opens a second client port, [Server.SecureAddr], which wants a client certificate signed by
// p's CA (relax it with Config("ssl.clientAuth=none")). By default, there is only the port in clear
// text, which remains: the four letter words need it.
func TLS(p *PEM) Option {
	return func(c *config) { c.pem = p }
}

func newConfig(options []Option) *config {
	c := &config{tick: 500 * time.Millisecond}
	for _, option := range options {
		option(c)
	}
	return c
}

// ports of one server. All are set; the configuration uses what it needs.
type ports struct {
	client, secure, peer, election int
}

// zooCfg is the text of the configuration file of the server with the given ports; quorum has all
// members' ports, in the order of their ids, or only one entry for a server on its own.
func (c *config) zooCfg(dataDir string, own ports, quorum []ports) string {
	lines := []string{
		"dataDir=" + dataDir,
		"clientPortAddress=127.0.0.1",
		fmt.Sprintf("clientPort=%d", own.client),
		fmt.Sprintf("tickTime=%d", c.tick.Milliseconds()),
		"initLimit=20",
		"syncLimit=5",
		// the default of 60 per address is soon reached on loopback, and shows as a mere EOF
		"maxClientCnxns=0",
		"admin.enableServer=false",
		"4lw.commands.whitelist=*",
		"forceSync=no",      // a test loses processes, not power
		"preAllocSize=1024", // KiB, rather than 64 MiB of log per server
	}
	lines = append(lines, c.tlsLines(own)...)
	if len(quorum) > 1 {
		for i, member := range quorum {
			lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, member.peer,
				member.election))
		}
	}
	lines = append(lines, c.extra...)
	return strings.Join(lines, "\n") + "\n"
}

func (c *config) tlsLines(own ports) []string {
	if c.pem == nil {
		return nil
	}
	return []string{
		"secureClientPortAddress=127.0.0.1",
		fmt.Sprintf("secureClientPort=%d", own.secure),
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
		"ssl.keyStore.type=PEM",
		"ssl.keyStore.location=" + c.pem.serverStore,
		"ssl.trustStore.type=PEM",
		"ssl.trustStore.location=" + c.pem.CA,
		"ssl.clientAuth=need",
	}
}
