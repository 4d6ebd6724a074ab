package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"errors"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
)

// checkNodes tells what is wrong with the children of the directory.
func (z *zookeeper) checkNodes() {
	if !z.dir.found || z.dir.err != nil || z.dir.listErr != nil || len(z.nodes) == 0 {
		return
	}
	left := 0
	for _, n := range z.nodes {
		switch {
		case n.gone:
			left++
		case n.nameErr != nil:
			z.checkStranger(n)
		default:
			z.checkOwner(n)
			z.checkForm(n)
		}
	}
	if left > 0 {
		z.Fine("name", z.path, "%s left while they were looked at", shell.Count(left, "node"))
	}
	z.checkAddresses(z.onLoopback())
	z.checkProcesses()
	z.checkListeners()
	z.checkTime()
	z.checkServers()
	for _, ok := range []struct{ check, text string }{
		{"name", "all names are instances"},
		{"owner", "the nodes of all instances are ephemeral" + z.sessionsText()},
		{"form", "the nodes of all instances say to other programs where the server is"},
		{"process", "each process and each address once"},
	} {
		if !z.Has(ok.check) {
			z.Fine(ok.check, z.path, "%s", ok.text)
		}
	}
	if z.dir.sessions == nil {
		z.Unchecked("owner", "whether the sessions are alive: dump is not in the servers' "+
			"4lw.commands.whitelist")
	}
}

func (z *zookeeper) sessionsText() string {
	if z.dir.sessions == nil {
		return ""
	}
	return ", of sessions that are there"
}

// checkStranger tells of a child that is no instance. One that looks like an address is a server
// that no client sees.
func (z *zookeeper) checkStranger(n *node) {
	subject, why := fmt.Sprintf("%.64q", n.name), whyStrange(n.name)
	if ap, err := netip.ParseAddrPort(n.name); err == nil {
		same := netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()).String()
		if other := z.find(same); other != nil && other != n {
			z.Error("process", subject, "stop the program that registers the other spelling",
				"another spelling of %s, which is registered, too: one address, registered "+
					"twice", same)
			return
		}
	}
	kind := ""
	if n.owner == 0 {
		kind = ", permanent"
	}
	if z.checkLikeness(n.name) {
		return
	}
	z.Warn("name", subject, "keep other programs' nodes out of the directory, or give them one of "+
		"their own", "%s", "a stranger's node"+kind+", which clients pass over: "+why)
}

// checkLikeness tells of a name that is no instance, and looks like a server. It reports whether it
// does.
func (d *diagnosis) checkLikeness(name string) bool {
	i := strings.LastIndexByte(name, ':')
	if i <= 0 || i == len(name)-1 || strings.Trim(name[i+1:], "0123456789") != "" {
		return false
	}
	d.Error("name", fmt.Sprintf("%.64q", name), "register it under its canonical ip:port", "%s",
		"it looks like a server, and is no instance, so that no client calls it: "+whyStrange(name))
	return true
}

// whyStrange is why a name is no instance.
func whyStrange(name string) string {
	why := strings.TrimPrefix(sd.CheckInstance(name).Error(), "sd: ")
	if _, reason, found := strings.Cut(why, ": "); found {
		return reason
	}
	return why
}

// find returns the instance of that name, nil if there is none.
func (d *diagnosis) find(name string) *node {
	i := slices.IndexFunc(d.nodes, func(n *node) bool {
		return n.name == name && n.nameErr == nil &&
			!n.gone
	})
	if i < 0 {
		return nil
	}
	return d.nodes[i]
}

// The owners of nodes that are of other kinds: container nodes, and the first byte of those with a
// lifetime (org.apache.zookeeper.server.EphemeralType).
const (
	containerOwner = -1 << 63
	ttlMark        = 0xff
)

// checkOwner tells of a node that does not go with its server.
func (z *zookeeper) checkOwner(n *node) {
	permanent := ""
	switch {
	case errors.Is(n.readErr, session.ErrNoAuth):
	case n.owner == 0:
		permanent = "a permanent node"
	case n.owner == containerOwner:
		permanent = "a container node"
	case uint64(n.owner)>>56 == ttlMark:
		permanent = "a node with a lifetime of its own"
	case z.dir.sessions != nil && !z.dir.sessions[n.owner] && !n.replaced:
		z.Error("owner", n.name, "delete the node; if it does not go, restart the ZooKeeper that "+
			"keeps it", "its session 0x%x is not there any more, and the node is", uint64(n.owner))
	}
	if permanent != "" {
		z.Error("owner", n.name, "delete it, and have its server register itself (zkCli.sh: "+
			"delete PATH)", "%s", permanent+", which stays when its server is gone: only a person "+
			"can delete it")
	}
	if n.replaced {
		z.Error("process", n.name, "stop one of them, or give it another --advertise",
			"two processes on one address take it from each other: its session was 0x%x, and 0x%x "+
				"a moment later", uint64(n.before), uint64(n.owner))
	}
}

// checkForm tells of data that says the wrong thing to other programs, or nothing.
func (z *zookeeper) checkForm(n *node) {
	const advice = "register with a daytimesvc, or write the document that sd/zk describes"
	f := n.form
	switch {
	case errors.Is(n.readErr, session.ErrNoAuth):
		z.Warn("form", n.name, "give everybody r in its ACL", "%s",
			"its data may not be read, so that its attributes are not known, "+"and a change of "+
				"it is seen half a minute late")
	case n.readErr != nil:
		z.Warn("form", n.name, advice, "%s", "its data cannot be read: "+brief(n.readErr))
	case f.Empty:
		z.Warn("form", n.name, advice, "it has no data: Curator, ServerSet and Nerve readers do "+
			"not see it")
	case f.Wrong != "":
		z.Warn("form", n.name, advice, "%s", "Curator, ServerSet and Nerve readers do not see it: "+
			""+f.Wrong)
	case f.Elsewhere != "":
		z.Error("form", n.name, "have its server write its own data, or delete the node",
			"its data says that the server is at %.80q: who reads the data dials that", f.Elsewhere)
	case len(f.Missing) > 0:
		z.Warn("form", n.name, advice, "%s", "other programs miss keys in its data: "+
			""+strings.Join(f.Missing, ", "))
	}
	if f.Unknown != nil {
		z.Warn("form", n.name, "correct --weight, --zone or --tag of its server", "%s",
			"attributes that are not believed: "+brief(f.Unknown))
	}
}

// checkAddresses tells of addresses that others cannot dial. That of a fleet on loopback, whose
// registry is there too, is one warning.
func (d *diagnosis) checkAddresses(registryLocal bool) {
	const advice = "give its server --listen or --advertise with an address of its host"
	var local []string
	for _, n := range d.instances() {
		addr := n.at.Addr()
		foreign := n.form.Boot != "" && d.self.Boot != "" && n.form.Boot != d.self.Boot
		switch {
		case addr.IsLoopback() && foreign:
			d.Error("address", n.name, advice, "a loopback address that another host has "+
				"registered: clients dial themselves")
		case addr.IsLoopback() && !registryLocal:
			d.Error("address", n.name, advice, "a loopback address in a registry that other hosts "+
				"can read: they dial themselves")
		case addr.IsLoopback():
			local = append(local, n.name)
		case foreign && slices.Contains(d.self.Addresses, addr):
			d.Error("address", n.name, "give its server --advertise with an address that no other "+
				"host has", "an address of this host, which another host has registered")
		}
	}
	if len(local) > 0 {
		where := "on loopback"
		if _, dialled := defaultPort(d.Target.Scheme); dialled {
			where += ", as the registry is"
		}
		d.Warn("address", some(local), "for more than a trial, listen on an address of the host",
			"%s: nobody on another host can call them", where)
	}
	if !d.Has("address") {
		d.Fine("address", d.Registry, "all addresses can be dialled from other hosts")
	}
}

// maxShown is how many names a subject has.
const maxShown = 5

// some is a list of names, shortened.
func some(names []string) string {
	shown := strings.Join(names[:min(len(names), maxShown)], ", ")
	if more := len(names) - maxShown; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return shown
}

// checkTime compares ZooKeeper's clock, which stamps the nodes, with this host's and the servers'.
func (z *zookeeper) checkTime() {
	const advice = "set the time there (NTP); the leader's clock stamps the nodes"
	newest := slices.MaxFunc(z.nodes, func(a, b *node) int { return cmp.Compare(a.ctime, b.ctime) })
	now := time.Now()
	if ahead := time.UnixMilli(newest.ctime).Sub(now); ahead > maxClock {
		z.Warn("time", newest.name, advice, "ZooKeeper's clock, or this host's, is wrong by %v at "+
			"least: the node is from the future", ahead.Round(time.Millisecond))
		return
	}
	wrong, right, least := 0, 0, time.Duration(1<<62)
	for _, n := range z.instances() {
		c := n.answer.Clock
		if since := n.form.Attributes.Since; !since.IsZero() && c.Known &&
			c.Offset.Abs() <= maxClock {
			if late := since.Sub(time.UnixMilli(n.ctime)); late > 2*maxClock {
				wrong++
				least = min(least, late)
			} else {
				right++
			}
		}
	}
	if wrong > right {
		z.Warn("time", z.path, advice, "ZooKeeper's clock was behind the servers' by %v at least: "+
			"they registered after their nodes were made", least.Round(time.Millisecond))
		return
	}
	z.Unchecked("time", "ZooKeeper's own clock: no node is from the future, and only a new one "+
		"would tell more")
}
