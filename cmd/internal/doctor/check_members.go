package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/daytime/cmd/internal/doctor/words"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/zk/session"
)

const (
	renewBefore = 14 * 24 * time.Hour // a certificate that ends sooner is worth a word
	readOnly    = "read-only"         // the mode of a member that has lost the quorum, and may say so
)

// checkMembers tells of each member whether it serves. Of a host with several addresses one that
// does is enough: localhost is often two, of which a server has one.
func (z *zookeeper) checkMembers() {
	for _, m := range z.members {
		switch {
		case m.conn == nil && z.hasOther(m):
			problem, advice := m.trouble(z.Timeout)
			z.Warn("member", m.String(), advice, "%s", problem+"; its host has another that serves")
		case m.conn == nil:
			problem, advice := m.trouble(z.Timeout)
			z.Error("member", m.String(), advice, "%s", problem)
		default:
			z.checkMember(m)
		}
	}
}

// hasOther reports whether another address of the same host serves.
func (z *zookeeper) hasOther(m *member) bool {
	return slices.ContainsFunc(z.serving(), func(o *member) bool { return o.host == m.host })
}

// checkMember tells what is to be said of a member that serves.
func (z *zookeeper) checkMember(m *member) {
	z.Fine("member", m.String(), "%s", m.describe())
	if v := m.srvr.Version; words.OlderThan(v, 3, 6) {
		z.Warn("member", m.String(), "update it to 3.6 or later",
			"ZooKeeper %s has neither persistent watches nor multiRead: each change costs each "+
				"client a list", v)
	}
	if m.cert != nil && endsSoon(m.cert, time.Now()) {
		z.Warn("tls", m.String(), "renew it; clients refuse the server from then on",
			"its certificate ends in %v", time.Until(m.cert.NotAfter).Round(time.Minute))
	}
	if asked := z.how.Timeout; m.granted != asked {
		z.Warn("session", m.String(), fmt.Sprintf("ask for %v (?session-timeout=), or change "+
			"tickTime, minSessionTimeout or maxSessionTimeout there", m.granted), "a session "+
			"timeout of %v is granted, where %v was asked for", m.granted, asked)
	}
	if m.latency > m.granted/10 {
		z.Warn("latency", m.String(), "see whether it lacks processor, memory or a fast disk, or "+
			"is far away", "a read takes %v, a tenth of the session timeout or more: sessions may "+
			"expire", probe.Round(m.latency))
	}
}

// endsSoon reports whether a certificate is in the last tenth of its time, or in its last two weeks
// if that is later. Some are meant to live for a day.
func endsSoon(c *x509.Certificate, now time.Time) bool {
	left, whole := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	return left < min(renewBefore, whole/10)
}

// describe is a member that serves in a line.
func (m *member) describe() string {
	what := "ZooKeeper"
	if m.srvr.Version != "" {
		what += " " + m.srvr.Version
	}
	mode := m.srvr.Mode
	if mode == "" {
		mode = fmt.Sprintf("version and role unknown (%s)", brief(m.wordErr))
	}
	return fmt.Sprintf("%s, %s, session timeout %v, a read in %v", what, mode, m.granted,
		probe.Round(m.latency))
}

// trouble says why a member gives no session, and what to do.
func (m *member) trouble(timeout time.Duration) (problem, advice string) {
	const start = "start ZooKeeper there, or correct --sd"
	const quorum = "start the other members of its ensemble, or mend the network between them"
	switch why := strings.TrimPrefix(brief(m.err), m.String()+": "); {
	case m.srvr.Idle:
		return "it answers, and does not serve: it has no quorum, or is about to get one", quorum
	case m.srvr.Mode == readOnly: // it closes the connections of who may want to write
		return "it is read-only: it has lost the quorum, and takes no registration", quorum
	case errors.Is(m.err, syscall.ECONNREFUSED):
		return "connection refused: no ZooKeeper listens there", start
	case errors.Is(m.err, session.ErrDenied):
		return why, "correct the credentials in --sd, or what the server demands"
	case m.srvr.Known() && strings.Contains(why, "closed"):
		return fmt.Sprintf("it is there (%s, %s), and closes connections: %s", m.srvr.Version,
				m.srvr.Mode, why),
			"raise its maxClientCnxns, or close connections of this host"
	case m.srvr.Known():
		return fmt.Sprintf("it is there (%s, %s), and grants no session within %v: %s",
			m.srvr.Version,
			m.srvr.Mode, timeout, why), "see its log: it may have lost its leader, or be overloaded"
	case strings.Contains(why, "TLS") || strings.Contains(why, "tls") || strings.Contains(why,
		"certificate"):
		return why, "compare tls-ca, tls-cert and the port in --sd with the server's configuration"
	case m.wordErr != nil && isTimeout(m.wordErr):
		return fmt.Sprintf("no answer within %v: it hangs, or the network drops what is sent (%s)",
				timeout, why),
			"see whether it is stopped, overloaded, or behind a firewall"
	default:
		return why, start
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// Parts of the text of an error that say nothing beside the subject of a finding.
var noise = regexp.MustCompile(
	`(no session|denied|context deadline exceeded|connection lost|zk|etcd|dns|file|session|sd): |` +
		`(cannot connect: )?dial tcp \S+: (connect: )?|(read|write) tcp \S+: |` +
		`: context deadline exceeded$`)

// brief is the text of an error in fewer words.
func brief(err error) string {
	if err == nil {
		return "unknown"
	}
	return strings.ReplaceAll(noise.ReplaceAllString(err.Error(), ""), "\n", "; ")
}

// checkEnsemble compares the members with each other, and counts them.
func (z *zookeeper) checkEnsemble() {
	serving := z.serving()
	modes := map[string][]string{}
	for _, m := range z.members {
		if m.srvr.Mode != "" {
			modes[m.srvr.Mode] = append(modes[m.srvr.Mode], m.String())
		}
	}
	z.split = z.checkSplit(serving, modes)
	z.checkVersions()
	alone, hosts := modes["standalone"], len(z.how.Hosts)
	switch {
	case z.split:
	case len(alone) > 0:
		z.warnOfOne(alone[0])
	case hosts == 1 && len(z.members) == 1 && len(modes) > 0:
		z.Warn("ensemble", z.how.Hosts[0], "name all members in --sd: "+
			"zk://a:2181,b:2181,c:2181/path", "--sd names one member of an ensemble alone: while "+
			"it is down nobody registers or learns of changes")
	case hosts == 1 && len(z.members) == 1:
		z.warnOfOne(z.how.Hosts[0])
	case hosts > 1:
		z.tellEnsemble(modes)
	}
}

// warnOfOne warns of a ZooKeeper that is no ensemble.
func (z *zookeeper) warnOfOne(server string) {
	z.Warn("ensemble", server, "run an ensemble of three or five, and name its members in --sd",
		"a single ZooKeeper: while it is down nobody registers or learns of changes")
}

// tellEnsemble tells that those members are of one ensemble that have shown themselves.
func (z *zookeeper) tellEnsemble(modes map[string][]string) {
	seen := 0
	for _, m := range z.members {
		if m.conn != nil || m.srvr.Mode != "" {
			seen++
		}
	}
	switch all := len(z.members); {
	case seen < 2: // nothing was compared
	case seen < all:
		z.Fine("ensemble", z.path, "%d of %d members, of one ensemble%s", seen, all, roles(modes))
	default:
		z.Fine("ensemble", z.path, "%d members, of one ensemble%s", all, roles(modes))
	}
}

// checkTLS tells whether the way to the members is secured.
func (z *zookeeper) checkTLS() {
	if z.how.TLS.CA == "" {
		z.Warn("tls", z.Registry, "open a secureClientPort, and add ?tls-ca=FILE to --sd",
			"no TLS: whoever is on the way can read and change the list, and read credentials")
	} else {
		z.Fine("tls", z.Registry, "%s", "members prove their names by "+z.how.TLS.CA)
	}
}

// roles are the modes of an ensemble in words.
func roles(modes map[string][]string) string {
	text := ""
	for _, mode := range []string{"leader", "follower", "observer"} {
		if n := len(modes[mode]); n > 0 {
			text += fmt.Sprintf(", %s", shell.Count(n, mode))
		}
	}
	return text
}

// checkSplit tells members that are not of one ensemble: servers would register in one, and clients
// look into the other. A directory has one czxid in an ensemble.
func (z *zookeeper) checkSplit(serving []*member, modes map[string][]string) (split bool) {
	const advice = "name the members of one ensemble in --sd; server.N lines make several one"
	var first *member
	for _, m := range serving {
		switch {
		case !m.seen.known || !m.seen.found:
		case first == nil:
			first = m
		case m.seen.czxid != first.seen.czxid:
			z.Error("ensemble", m.String(), advice, "it has another %s than %v: they are not of "+
				"one ensemble, so clients of the one miss the servers of the other", z.path, first)
			split = true
		}
	}
	for _, m := range serving {
		if first != nil && m.seen.known && !m.seen.found && m.srvr.Mode == "standalone" {
			z.Error("ensemble", m.String(), advice, "it stands alone and has no %s, which %v has: "+
				"they are not of one ensemble", z.path, first)
			split = true
		}
	}
	if alone := modes["standalone"]; !split && first == nil && z.hostsOf(alone) > 1 {
		z.Error("ensemble", strings.Join(alone, ", "), advice,
			"each stands alone: they are not of one ensemble, so clients of the one miss the "+
				"servers of the other")
		split = true
	}
	return split
}

// hostsOf counts the hosts of members.
func (z *zookeeper) hostsOf(names []string) int {
	hosts := map[string]bool{}
	for _, m := range z.members {
		if slices.Contains(names, m.String()) {
			hosts[m.host] = true
		}
	}
	return len(hosts)
}

// checkVersions tells members of different versions.
func (z *zookeeper) checkVersions() {
	versions := map[string][]string{}
	for _, m := range z.members {
		if v := m.srvr.Version; v != "" {
			versions[v] = append(versions[v], m.String())
		}
	}
	if len(versions) < 2 {
		return
	}
	var parts []string
	for v, names := range versions {
		parts = append(parts, v+" on "+strings.Join(names, ", "))
	}
	slices.Sort(parts)
	z.Warn("ensemble", z.path, "end the upgrade that is under way", "%s",
		"members have different versions: "+strings.Join(parts, "; "))
}

// onLoopback reports whether every member is on loopback.
func (z *zookeeper) onLoopback() bool {
	return len(z.members) > 0 && !slices.ContainsFunc(z.members, func(m *member) bool {
		ap, err := netip.ParseAddrPort(m.address)
		return err != nil || !ap.Addr().IsLoopback()
	})
}
