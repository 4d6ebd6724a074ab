package hosts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// lookupTimeout bounds one lookup. A resolver whose first two name servers are dead asks the
	// third after 10 s (resolv.conf(5): a timeout of 5 s for each).
	lookupTimeout = 15 * time.Second
	// maxAddresses bounds what one lookup may add to a round of dials.
	maxAddresses = 16
)

// A Server is one address of a configured host.
type Server struct {
	Host    string // as configured, host:port; a certificate must prove it
	Address string // for a dialer: ip:port, or Host if the dialer resolves it
	place   int    // of Host in the configuration, where it may stand twice
}

// String is the address, behind the name that it was found under: zk.example.com/192.0.2.1:2181.
func (s Server) String() string {
	if s.Host == s.Address {
		return s.Host
	}
	name, _, _ := net.SplitHostPort(s.Host)
	return name + "/" + s.Address
}

// A lookup returns the addresses of a host; network is ip4 or ip6.
type lookup = func(ctx context.Context, network, host string) ([]netip.Addr, error)

// A Resolver knows the servers of the configured hosts. Lookups run beside the dials: of each name
// one for IPv4 and one for IPv6, so that a name server that drops one kind of question does not
// hold up the answer to the other. The last result is kept while lookups fail.
type Resolver struct {
	lookup lookup
	ctx    context.Context
	active sync.WaitGroup // lookups under way

	mu      sync.Mutex
	fixed   []Server // addresses, and names that the dialer resolves
	records []*record
	changed chan struct{} // closed and replaced when a lookup ends
}

// A record is what is known of a name in one address family. The resolver's lock guards it.
type record struct {
	network string // ip4 or ip6
	host    string // host:port
	place   int
	other   *record
	servers []Server
	looking bool  // a lookup is under way
	err     error // of the last lookup
}

// NewResolver returns a resolver whose lookups end with ctx. Without lookup, names are left to the
// dialer.
func NewResolver(ctx context.Context, hosts []string, lookup lookup) *Resolver {
	r := &Resolver{lookup: lookup, ctx: ctx, changed: make(chan struct{})}
	for n, host := range hosts {
		name, _, _ := net.SplitHostPort(host)
		if _, err := netip.ParseAddr(name); err == nil || lookup == nil {
			r.fixed = append(r.fixed, Server{host, host, n})
			continue
		}
		ip4 := &record{network: "ip4", host: host, place: n}
		ip6 := &record{network: "ip6", host: host, place: n, other: ip4}
		ip4.other = ip6
		r.records = append(r.records, ip4, ip6)
	}
	return r
}

// refresh begins the lookups of which none is under way.
func (r *Resolver) refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		if !rec.looking {
			rec.looking = true
			r.active.Go(func() { r.resolve(rec) })
		}
	}
}

// resolve looks one record up.
func (r *Resolver) resolve(rec *record) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	name, port, _ := net.SplitHostPort(rec.host)
	found, err := r.lookup(ctx, rec.network, name)
	if err == nil && len(found) == 0 { // net.Resolver never says that
		err = &net.DNSError{Err: "no address", Name: name, IsNotFound: true}
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	servers := make([]Server, 0, maxAddresses)
	for _, ip := range found[:min(len(found), maxAddresses)] {
		address := net.JoinHostPort(ip.Unmap().String(), port)
		servers = append(servers, Server{rec.host, address, rec.place})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.looking, rec.err = false, err
	if err == nil {
		rec.servers = servers
	}
	rec.dropIfMissing()
	rec.other.dropIfMissing()
	close(r.changed)
	r.changed = make(chan struct{})
}

// dropIfMissing drops what was found before if the name has addresses in the other family alone,
// which is no failure. A name that has none at all may have them again in a moment.
func (rec *record) dropIfMissing() {
	if isNotFound(rec.err) && !rec.looking && !rec.other.looking && rec.other.err == nil {
		rec.servers = nil
	}
}

func isNotFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// A view is what a resolver knows at one time.
type view struct {
	servers []Server
	looking bool            // lookups are under way
	changed <-chan struct{} // closed when one ends
	err     error           // of a lookup that failed
}

func (r *Resolver) view() view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{changed: r.changed, servers: slices.Clone(r.fixed)}
	for _, rec := range r.records {
		for _, s := range rec.servers {
			if !slices.Contains(v.servers, s) {
				v.servers = append(v.servers, s)
			}
		}
		v.looking = v.looking || rec.looking
		if rec.err != nil && v.err == nil {
			v.err = fmt.Errorf("%s: %w", rec.host, rec.err)
		}
	}
	return v
}

// Wait returns when no lookup is under way. The resolver's context is done.
func (r *Resolver) Wait() { r.active.Wait() }
