// Package doctor examines a registry and the servers in it, names what is wrong, and says what to
// do about it. It only reads.
//
//	config := doctor.Config{Target: target, Backend: backend, Timeout: 2 * time.Second}
//	report := doctor.Examine(ctx, config)
//	fmt.Print(report.Text(80, false))
//
// What it looks at, by area and check:
//
//	registry   member     each address of each host: its version, and whether it serves
//	           ensemble   how many there are, whether they know each other, and who leads
//	           lag        whether one is behind the others
//	           session    the timeout that is granted, beside the one that is asked for
//	           latency    of a read
//	           time       ZooKeeper's clock, as far as its nodes tell
//	           tls        whether the connection proves and hides anything
//	directory  directory  is it there, and may it be read
//	           acl        who may register, delete and steer
//	           policy     which is in force, and which of its lines are not
//	servers    name       an instance, or a stranger's
//	           owner      ephemeral, of a session that is there
//	           form       what the data says to other programs
//	           process    one entry for a process, one process for an address
//	           address    one that clients elsewhere can dial
//	           answer     reachable from here, and a daytime server
//	           identity   it answers under the name it is registered with
//	           clock      beside this host's
//
// All of it holds for ZooKeeper. Of another registry only what its Backend tells is known, and what
// was not checked is told as well.
//
// An error is something that fails calls or registrations, or will; a warning is a risk that
// somebody may have chosen. What comes from the registry or the network is untrusted: it stands
// quoted or escaped in every text, and a name that is no instance is not dialled.
package doctor

import (
	"context"
	"time"

	"example.com/daytime/cmd/internal/doctor/host"
	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/sd"
	"example.com/daytime/transport"
)

const (
	maxAsked = 100         // servers that are asked at a time
	maxClock = time.Second // that a clock may be wrong beyond what is unsure
)

// A Config says what is examined, and how.
type Config struct {
	Target  sd.Target
	Backend sd.Backend    // of Target; ZooKeeper is examined without it
	Timeout time.Duration // of each question
	Client  []transport.ClientOption
}

// A diagnosis is an examination under way. One goroutine adds findings.
type diagnosis struct {
	Config
	self  host.Host
	begin time.Time
	nodes []*node
	report.Report
}

// Examine examines a registry and its servers. The end of ctx ends it early: what was not looked at
// is then told as such.
func Examine(ctx context.Context, c Config) report.Report {
	d := &diagnosis{Config: c, self: host.This(), begin: time.Now()}
	d.Registry = c.Target.String()
	if c.Target.Scheme == "zk" && c.Target.Keys["layout"] == "" {
		d.zookeeper(ctx)
	} else {
		d.other(ctx)
	}
	d.Servers = len(d.instances())
	d.Took = time.Since(d.begin)
	return d.Report
}

// instances are the nodes that are to be called.
func (d *diagnosis) instances() (nodes []*node) {
	for _, n := range d.nodes {
		if n.nameErr == nil && !n.gone {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// ask asks the servers of nodes directly, many at a time, and looks closer at those that do not
// answer with a time.
func (d *diagnosis) ask(ctx context.Context, nodes []*node) {
	atOnce := min(maxAsked, max(transport.DefaultMaxConns(1)/8, 1))
	probe.Each(len(nodes), atOnce, func(i int) {
		n := nodes[i]
		n.answer = probe.Ask(ctx, n.name, d.Client...)
		n.found = probe.Look(ctx, n.name, n.answer, d.Timeout)
	})
}
