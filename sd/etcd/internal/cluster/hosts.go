package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"example.com/daytime/sd"
)

const (
	lookupTimeout  = 15 * time.Second      // of one name; dials do not wait that long
	lookupPatience = time.Second           // for the names that are still being looked up
	lookupCourtesy = 50 * time.Millisecond // the same, while there is an address
)

// An address is one of a host's.
type address struct {
	host string // as the target has it, for certificates
	addr netip.AddrPort
}

func (a address) String() string {
	if a.addr.Addr().String() == a.host {
		return a.addr.String()
	}
	return fmt.Sprintf("%s (%s)", sd.Host{Name: a.host, Port: a.addr.Port()}, a.addr.Addr())
}

// A resolver knows the addresses of the hosts of a target. Each name is looked up anew for every
// round, side by side; while that takes its time, or fails, what it was last is used. It owns its
// lookups; close ends and awaits them.
type resolver struct {
	hosts   []sd.Host
	ctx     context.Context
	running sync.WaitGroup

	mu      sync.Mutex
	known   map[string][]netip.Addr
	failed  map[string]error
	pending map[string]chan struct{} // closed when the lookup is over
}

func newResolver(ctx context.Context, hosts []sd.Host) *resolver {
	return &resolver{
		hosts:   hosts,
		ctx:     ctx,
		known:   map[string][]netip.Addr{},
		failed:  map[string]error{},
		pending: map[string]chan struct{}{},
	}
}

// round returns all addresses in a random order, and why there are none of a host. Names that are
// still being looked up are waited for only as long as there is no other address.
func (r *resolver) round(ctx context.Context) (all []address, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	var lookups []<-chan struct{}
	for _, h := range r.hosts {
		lookups = append(lookups, r.lookup(h.Name))
	}
	for _, done := range lookups {
		if all, err = r.addresses(); len(all) > 0 {
			ctx, cancel = context.WithTimeout(ctx, lookupCourtesy)
			defer cancel()
		}
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	all, err = r.addresses()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, err
}

// addresses are those that are known.
func (r *resolver) addresses() (all []address, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		known := r.known[h.Name]
		if len(known) == 0 {
			err = also(err, cmpErr(r.failed[h.Name], fmt.Errorf("lookup %s: %w", h.Name, errUnanswered)))
		}
		for _, a := range known {
			all = append(all, address{h.Name, netip.AddrPortFrom(a, h.Port)})
		}
	}
	return all, err
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// lookup begins to look name up, unless that is under way, and returns what is closed at the end.
func (r *resolver) lookup(name string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if done, ok := r.pending[name]; ok {
		return done
	}
	done := make(chan struct{})
	if a, err := netip.ParseAddr(name); err == nil {
		r.known[name] = []netip.Addr{a}
		close(done)
		return done
	}
	r.pending[name] = done
	r.running.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
		defer cancel()
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pending, name)
		r.failed[name] = err
		if err == nil {
			for n, a := range found {
				found[n] = a.Unmap()
			}
			slices.SortFunc(found, netip.Addr.Compare)
			r.known[name] = slices.Compact(found)
		}
		close(done)
	})
	return done
}

func (r *resolver) close() { r.running.Wait() }
