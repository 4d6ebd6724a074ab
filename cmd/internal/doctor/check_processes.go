package doctor

import (
	"fmt"
	"slices"
	"strings"

	"example.com/daytime/cmd/internal/doctor/host"
)

// checkProcesses tells of processes that have registered one port under several addresses of a
// family: one server, which then gets a share of the calls for each. Several ports are several
// servers, and so are several sessions: processes of containers on one host have one boot id, often
// one number, and may have begun in one second.
func (z *zookeeper) checkProcesses() {
	type key struct {
		boot    string
		process int
		start   int64
		session int64
		port    uint16
		is4     bool
	}
	of := map[key][]*node{}
	for _, n := range z.instances() {
		if f := n.form; f.Boot != "" && f.Process != 0 {
			k := key{f.Boot, f.Process, f.Start.Unix(), n.owner, n.at.Port(), n.at.Addr().Is4()}
			of[k] = append(of[k], n)
		}
	}
	for k, nodes := range of {
		if len(nodes) < 2 {
			continue
		}
		var names []string
		for _, n := range nodes {
			names = append(names, n.name)
		}
		z.Warn("process", some(names), "register one of them, unless it is to have that many "+
			"shares", "process %d is registered %d times with one port, and gets a share of the "+
			"calls for each", k.process, len(nodes))
	}
}

// checkListeners compares the process that registered an address of this host with the one that
// listens there. A container has the boot id of its host, and may have a network of its own.
func (z *zookeeper) checkListeners() {
	var local []*node
	for _, n := range z.instances() {
		if n.form.Boot != "" && n.form.Boot == z.self.Boot && n.form.Process != 0 && !n.replaced &&
			z.self.Has(n.at.Addr()) {
			local = append(local, n)
		}
	}
	if len(local) == 0 {
		return
	}
	listening := host.Listening()
	for _, n := range local {
		pids := listening.At(n.at)
		isOwn := func(pid int) bool { return host.IsProcess(pid, n.form.Process) }
		if len(pids) == 0 || slices.ContainsFunc(pids, isOwn) || host.InContainer(n.form.Process) {
			continue
		}
		z.Error("process", n.name, "stop one of them, or give it another --advertise",
			"two processes claim one address: process %d has registered it, and process %d "+
				"listens there", n.form.Process, slices.Min(pids))
	}
	for addr := range listening {
		if pids := listening.Rivals(addr); len(pids) > 0 && z.find(addr.String()) != nil {
			z.Error("process", addr.String(), "stop one of them",
				"two processes listen on one address (SO_REUSEPORT): "+
					"%s", strings.Trim(fmt.Sprint(pids), "[]"))
		}
	}
}
