package etcd

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

	"example.com/daytime/sd"
)

const (
	lookupTimeout  = 15 * time.Second // of one name; dials do not wait that long
	lookupPatience = time.Second      // for the names that are still being looked up
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

// round returns all addresses in a random order, and why there are none of a host.
func (r *resolver) round(ctx context.Context) (all []address, err error) {
	patience := time.NewTimer(lookupPatience)
	defer patience.Stop()
	for _, h := range r.hosts {
		done := r.lookup(h.Name)
		select {
		case <-done:
		case <-patience.C:
			patience.Reset(0) // the others are not waited for either
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		r.mu.Lock()
		known, failed := r.known[h.Name], r.failed[h.Name]
		r.mu.Unlock()
		if len(known) == 0 {
			err = errors.Join(err, cmpErr(failed, fmt.Errorf("lookup %s: %w", h.Name, errUnanswered)))
		}
		for _, a := range known {
			all = append(all, address{h.Name, netip.AddrPortFrom(a, h.Port)})
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
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
