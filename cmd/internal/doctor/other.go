package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/transport"
)

// defaultPort is the port of a registry that is dialled, where a target names none; not ok is one
// that is not dialled.
func defaultPort(scheme string) (port string, ok bool) {
	switch scheme {
	case "zk":
		return "2181", true
	case "etcd":
		return "2379", true
	}
	return "", false
}

// other examines a registry of which only what its Backend tells is known.
func (d *diagnosis) other(ctx context.Context) {
	defer d.Sort()
	scheme := d.Target.Scheme
	local := d.dialHosts(ctx)
	instancer := sd.NewInstancer(d.Backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	defer instancer.Stop()
	within, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	instancer.Await(within) // whose error is in the state as well
	state := instancer.State()
	d.Unchecked("ensemble, lag, session, latency, time, tls", "are not known of "+scheme+"://")
	if state.Phase != sd.Live {
		d.unread(state)
		return
	}
	d.Fine("directory", d.Registry, "%s", "it can be read, with "+
		""+shell.Count(len(instancer.Instances()), "instance"))
	d.Unchecked("acl", "is not known of "+scheme+"://")
	for _, e := range instancer.Entries() {
		n := &node{name: e.Instance, at: netip.MustParseAddrPort(e.Instance)}
		n.form.Attributes = e.Attributes
		d.nodes = append(d.nodes, n)
	}
	d.otherPolicy(ctx, instancer.Policy())
	d.otherNames(instancer)
	d.Unchecked("owner, form, process", "are not known of "+scheme+"://")
	d.ask(ctx, d.instances())
	d.checkAddresses(local)
	if len(d.nodes) == 0 {
		d.Warn("directory", d.Registry, "see the servers' logs, and compare their --sd",
			"nobody is registered")
	}
	d.checkServers()
}

// unread tells why a registry cannot be read.
func (d *diagnosis) unread(state sd.State) {
	problem := fmt.Sprintf("no answer within %v", d.Timeout)
	advice := "see whether it is there, or raise --timeout"
	switch {
	case errors.Is(state.Err, sd.ErrNoDirectory):
		problem, advice = brief(state.Err), "correct --sd, or make what it names"
	case errors.Is(state.Err, sd.ErrDenied):
		problem, advice = "it may not be read: "+brief(state.Err), "correct the credentials in --sd"
	case state.Err != nil:
		problem = "it cannot be read: " + brief(state.Err)
	}
	d.Error("directory", d.Registry, advice, "%s", problem)
	d.Unchecked("all", "it is not known who is registered")
}

// dialHosts dials each address of each host of a registry that has any, and reports whether all of
// them are on loopback. A list without a registry is as local as its reader.
func (d *diagnosis) dialHosts(ctx context.Context) (local bool) {
	port, dialled := defaultPort(d.Target.Scheme)
	if !dialled {
		d.Unchecked("member", d.Target.Scheme+":// has no members that are dialled")
		return true
	}
	local = true
	for _, h := range d.Target.Hosts {
		host := h.Name
		at := port
		if h.Port != 0 {
			at = strconv.Itoa(int(h.Port))
		}
		within, cancel := context.WithTimeout(ctx, d.Timeout)
		addrs, err := net.DefaultResolver.LookupNetIP(within, "ip", host)
		cancel()
		if err != nil {
			d.Error("member", h.String(), "correct --sd, or the name server", "%s",
				"the name does not resolve: "+brief(err))
		}
		for _, addr := range addrs {
			local = local && addr.Unmap().IsLoopback()
		}
		d.dialEach(ctx, addrs, at)
	}
	return local
}

// dialEach dials the addresses of one host.
func (d *diagnosis) dialEach(ctx context.Context, addrs []netip.Addr, port string) {
	for _, addr := range addrs {
		d.dial(ctx, net.JoinHostPort(addr.Unmap().String(), port), len(addrs))
	}
}

// dial tells whether a connection to one address comes about.
func (d *diagnosis) dial(ctx context.Context, address string, of int) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	begin := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		d.Fine("member", address, "%s", "it takes connections, in "+
			""+probe.Round(time.Since(begin)).String())
		return
	}
	severity := report.Error
	if of > 1 {
		severity = report.Warning
	}
	d.Note(severity, "member", address, "start it, or correct --sd", "%s", brief(err))
}

// otherPolicy tells of the policy of a registry that has one.
func (d *diagnosis) otherPolicy(ctx context.Context, state sd.PolicyState) {
	store, err := sd.PolicyOf(d.Backend)
	if err != nil {
		d.Unchecked("policy", d.Target.Scheme+":// has none")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	text, version, err := store.ReadPolicy(ctx)
	if err != nil {
		d.Error("policy", d.Registry, "see who may read it", "%s", "it cannot be read: "+brief(err))
		return
	}
	d.checkPolicy(d.Registry, text, version)
	for _, name := range state.Unread {
		d.Warn("form", name, "correct what its server says",
			"attributes of it cannot be read, or are not believed")
	}
}

// otherNames tells of names that are no instances, and, in the layout of another system, of nodes
// that cannot be read, behind whose names stands why. Of these an Instancer keeps three.
func (d *diagnosis) otherNames(instancer *sd.Instancer) {
	names := instancer.Strangers()
	for _, name := range names {
		subject, none := fmt.Sprintf("%.64q", name), "no instance, so that no client calls it: "
		switch {
		case d.Target.Keys["layout"] != "":
			d.Warn("name", subject, "correct what its server writes", "%s", none+transport.Printable(name))
		case !d.checkLikeness(name):
			d.Warn("name", subject, "register a canonical ip:port", "%s", none+whyStrange(name))
		}
	}
	if len(names) == 0 {
		d.Fine("name", d.Registry, "all names are instances")
	}
	slices.SortFunc(d.nodes, func(a, b *node) int { return strings.Compare(a.name, b.name) })
}
