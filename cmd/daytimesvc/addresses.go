package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/transport"
)

const (
	lookupTimeout = 2 * time.Second // of the names of a registry's hosts
	maxAdvised    = 3               // addresses in an error
)

// A list is a flag's value with commas.
type list []string

func (l list) String() string { return strings.Join(l, ",") }

// listOf returns a parser of lists whose elements pass check. A flag that is given again adds to
// its list.
func listOf(check func(string) error) func(string) (list, error) {
	var given list
	return func(text string) (list, error) {
		l := append(slices.Clip(given), strings.Split(text, ",")...)
		for i, s := range l {
			if err := check(s); err != nil {
				return nil, err
			}
			if slices.Contains(l[:i], s) && !strings.HasSuffix(s, ":0") {
				return nil, fmt.Errorf("want each address once")
			}
		}
		given = l
		return l, nil
	}
}

// isWildcard reports whether a listen address means every address of the host.
func isWildcard(s string) bool {
	host, _, _ := net.SplitHostPort(s)
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Unmap().IsUnspecified()
}

// checkLoopback refuses to register a loopback address in a registry that is not on loopback:
// clients on other hosts would dial themselves. Where --advertise says it outright it warns. The
// names of registries are looked up if there is such an address; after the end of ctx the answer
// says nothing.
func (c *config) checkLoopback(
	ctx context.Context, instances []string, logger kitlog.Logger,
) error {
	local := slices.DeleteFunc(slices.Clone(instances), func(s string) bool { return !isLoopback(s) })
	if len(local) == 0 || !c.registers() {
		return nil
	}
	remote := slices.IndexFunc(c.sd, func(url string) bool { return isElsewhere(ctx, url) })
	if remote < 0 {
		return nil
	}
	if len(c.advertise) > 0 {
		level.Warn(logger).Log("msg", "clients on other hosts cannot dial a loopback address",
			"advertise", strings.Join(local, ","))
		return nil
	}
	flag, setting := "listen", "--listen "
	if len(c.inherited) > 0 {
		flag, setting = "", "ListenStream="
	}
	return shell.UsageError(flag, fmt.Errorf("%q: cannot be dialled from other hosts, "+
		"where clients of %s may be; %s, or --advertise %s to register it all the same",
		c.listen, c.sd[remote], advice(setting, c.listen, ownAddresses()),
		strings.Join(instances, ",")))
}

// isLoopback reports whether an ip:port is on loopback.
func isLoopback(instance string) bool {
	ap, err := netip.ParseAddrPort(instance)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// isElsewhere reports whether clients on other hosts can read the registry: whether one of its
// hosts is not on loopback. A name that cannot be looked up is not.
func isElsewhere(ctx context.Context, target string) bool {
	t, err := sd.ParseTarget(target)
	if err != nil {
		return false // which is told where it is opened
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return slices.ContainsFunc(t.Hosts, func(h sd.Host) bool {
		if h.Name == "localhost" {
			return false
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", h.Name)
		remote := func(a netip.Addr) bool { return !a.Unmap().IsLoopback() }
		return err != nil || slices.ContainsFunc(addrs, remote)
	})
}

// ownAddresses returns the addresses under which other hosts may reach this one.
func ownAddresses() (own []netip.Addr) {
	addrs, _ := net.InterfaceAddrs() // none is an answer, too
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if addr := prefix.Addr(); err == nil && addr.IsGlobalUnicast() {
			own = append(own, addr)
		}
	}
	return own
}

// advice names the addresses to listen on instead, as a setting: the same ports of the first
// address, or of another.
func advice(setting string, listen []string, own []netip.Addr) string {
	if len(own) == 0 {
		return "want an address of this host, which has none now"
	}
	var instead, others []string
	for _, l := range listen {
		_, port, _ := net.SplitHostPort(l)
		instead = append(instead, net.JoinHostPort(own[0].String(), port))
	}
	text := "want " + setting + strings.Join(instead, ",")
	for _, addr := range own[1:min(len(own), maxAdvised)] {
		others = append(others, addr.String())
	}
	if len(others) > 0 {
		text += ", or " + strings.Join(others, ", ")
	}
	return text
}

// listen binds every address, or none.
func listen(ctx context.Context, addrs []string) (listeners []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := transport.Listen(ctx, addr)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("--listen %s: %w", addr, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// closeAll does nothing about listeners whose server has closed them, nor about nil ones, which stand
// for sockets that listen for no stream.
func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		if l != nil {
			l.Close()
		}
	}
}
