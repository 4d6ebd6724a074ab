package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
)

const (
	maxAliases = 8     // CNAMEs that lead from one answer to another question
	maxTargets = 4096  // of SRV records
	maxRecords = 65536 // SRV records times the addresses of their targets
	maxAsking  = 16    // questions for addresses at a time
)

// Why an answer is no set.
var (
	errNoName    = errors.New("no such name")
	errLame      = errors.New("the server knows only others to ask: want one that recurses")
	errAliases   = errors.New("too many aliases")
	errTargets   = fmt.Errorf("want %d targets at most", maxTargets)
	errRecords   = fmt.Errorf("want %d instances at most", maxRecords)
	errAddresses = errors.New("none of the targets has an address")
)

// read asks for everything that the set is made of, and says how long that may be kept. With
// errNoName, too.
func (b *Backend) read(ctx context.Context) ([]record, time.Duration, error) {
	if b.port == 0 {
		return b.services(ctx)
	}
	addresses, ttl, err := b.resolver.addresses(ctx, b.name)
	var records []record
	for _, a := range addresses {
		records = append(records, record{address: netip.AddrPortFrom(a, b.port)})
	}
	return records, ttl, err
}

// services asks for SRV records and the addresses of their targets.
func (b *Backend) services(ctx context.Context) ([]record, time.Duration, error) {
	found, err := b.resolver.lookup(ctx, b.name, mdns.TypeSRV)
	if err != nil {
		return nil, found.ttl, err
	}
	var services []*mdns.SRV
	targets := map[string]host{}
	for _, rr := range found.records {
		if s, ok := rr.(*mdns.SRV); ok && s.Target != "." {
			services = append(services, s)
			name := strings.ToLower(s.Target)
			targets[name] = host{services: targets[name].services + 1}
		}
	}
	if len(services) == 0 {
		return nil, found.ttl, nil
	}
	if len(targets) > maxTargets {
		return nil, 0, errTargets
	}
	ttl, err := b.resolver.resolve(ctx, targets, found)
	if err != nil {
		return nil, 0, err
	}
	var records []record
	for _, s := range services {
		for _, a := range targets[strings.ToLower(s.Target)].addresses {
			records = append(records, record{netip.AddrPortFrom(a, s.Port), true, s.Priority, s.Weight})
		}
	}
	if len(records) == 0 {
		return nil, 0, errAddresses
	}
	return records, min(ttl, found.ttl), nil
}

// A host is the target of an SRV record.
type host struct {
	services  int // how many records it is the target of
	addresses []netip.Addr
	ttl       time.Duration
}

// resolve fills in the addresses of targets, those that stand in found beside the SRV records, and
// asks for the others, some at a time. The first that cannot be had ends it, and so do more than
// can be held.
func (r *resolver) resolve(
	ctx context.Context, targets map[string]host, found result,
) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var asked sync.WaitGroup
	var mu sync.Mutex // guards targets, ttl and records
	ttl, records := maxTTL, 0
	note := func(name string, h host) {
		mu.Lock()
		defer mu.Unlock()
		h.services = targets[name].services
		if records += h.services * len(h.addresses); records > maxRecords {
			cancel(errRecords)
		}
		targets[name], ttl = h, min(ttl, h.ttl)
	}
	turns := make(chan struct{}, maxAsking)
	for _, name := range slices.Collect(maps.Keys(targets)) {
		if h, ok := found.beside(name); ok {
			note(name, h)
			continue
		}
		turns <- struct{}{}
		asked.Go(func() {
			defer func() { <-turns }()
			addresses, kept, err := r.addresses(ctx, name)
			if err != nil && !errors.Is(err, errNoName) {
				cancel(err)
				return
			}
			note(name, host{addresses: addresses, ttl: kept})
		})
	}
	asked.Wait()
	return ttl, context.Cause(ctx)
}

// addresses asks for the IPv4 and the IPv6 addresses of a name. Both answers are needed. Where
// there are addresses of one kind there is the name: servers that deny it when they are asked for
// the other kind are wrong (RFC 4074, section 4.2). These say how long they may be kept where the
// answer about the other kind does not, as those of small servers.
func (r *resolver) addresses(
	ctx context.Context, name string,
) (all []netip.Addr, ttl time.Duration, err error) {
	ttl = maxTTL
	var noName error
	unsaid := false
	for _, kind := range []uint16{mdns.TypeA, mdns.TypeAAAA} {
		found, err := r.lookup(ctx, name, kind)
		if unsaid = unsaid || found.unsaid; !found.unsaid {
			ttl = min(ttl, found.ttl)
		}
		switch {
		case errors.Is(err, errNoName):
			noName = err
		case err != nil:
			return nil, ttl, err
		}
		all = append(all, addressesIn(found.records)...)
	}
	switch {
	case len(all) > 0:
		return all, ttl, nil
	case unsaid:
		ttl = 0
	}
	return nil, ttl, noName
}

// A result is what there is of one type under a name, or that there is nothing.
type result struct {
	records []mdns.RR
	ttl     time.Duration
	unsaid  bool   // for how long there is nothing: then that may not be kept
	answer  answer // the last one
}

// lookup asks for the records of one type. A server that recurses follows aliases itself; others
// leave that to the client. Without records there is a name that has none of this type, or
// errNoName.
func (r *resolver) lookup(ctx context.Context, name string, kind uint16) (result, error) {
	found := result{ttl: maxTTL}
	for range maxAliases {
		a, err := r.ask(ctx, name, kind)
		if err != nil {
			return found, err
		}
		end, ttl := canonical(a.Answer, name)
		found.ttl, found.answer, found.unsaid = min(found.ttl, ttl), a, false
		for _, rr := range a.Answer {
			if h := rr.Header(); h.Rrtype == kind && strings.EqualFold(h.Name, end) {
				found.records = append(found.records, rr)
				found.ttl = min(found.ttl, seconds(h.Ttl))
			}
		}
		if len(found.records) > 0 {
			return found, nil
		}
		negative, isNegative := negativeTTL(a.Ns)
		found.unsaid = !isNegative
		switch {
		case a.Rcode == mdns.RcodeNameError:
			found.ttl = min(found.ttl, negative)
			return found, fmt.Errorf("%w: %s", errNoName, end)
		case isNegative || strings.EqualFold(end, name):
			found.ttl = min(found.ttl, negative)
			return found, nil
		}
		name = end
	}
	return found, errAliases
}

// canonical follows the aliases within an answer.
func canonical(answers []mdns.RR, name string) (end string, ttl time.Duration) {
	ttl = maxTTL
	for range answers { // a circle ends as well
		for _, rr := range answers {
			if c, ok := rr.(*mdns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
				name, ttl = c.Target, min(ttl, seconds(c.Hdr.Ttl))
				break
			}
		}
	}
	return name, ttl
}

// negativeTTL is how long it may be remembered that there is nothing (RFC 2308, section 5): what
// the SOA record beside it says. Without one it may not.
func negativeTTL(authority []mdns.RR) (ttl time.Duration, ok bool) {
	for _, rr := range authority {
		if soa, is := rr.(*mdns.SOA); is {
			return seconds(min(soa.Hdr.Ttl, soa.Minttl)), true
		}
	}
	return 0, false
}

// refers reports whether a message has no answer, not even an alias, and only names other servers
// (RFC 2308, section 2.2.1).
func refers(m *mdns.Msg) bool {
	return m.Rcode == mdns.RcodeSuccess && !m.Authoritative && len(m.Answer) == 0 &&
		has(m.Ns, mdns.TypeNS) && !has(m.Ns, mdns.TypeSOA)
}

// has reports whether there is a record of a type.
func has(records []mdns.RR, kind uint16) bool {
	return slices.ContainsFunc(records, func(rr mdns.RR) bool { return rr.Header().Rrtype == kind })
}

// beside is what stands of name in the additional section. In a datagram there may have been no
// room for its other addresses, which no bit tells (RFC 2181, section 9): it is used if it came
// over TCP. Who has no authority puts there what is in its cache, where the addresses of one kind
// may be without those of the other.
func (f result) beside(name string) (h host, ok bool) {
	if !f.answer.whole {
		return h, false
	}
	h.ttl = maxTTL
	var own []mdns.RR
	for _, rr := range f.answer.Extra {
		if strings.EqualFold(rr.Header().Name, name) {
			own = append(own, rr)
			h.ttl = min(h.ttl, seconds(rr.Header().Ttl))
		}
	}
	h.addresses = addressesIn(own)
	all := f.answer.Authoritative || has(own, mdns.TypeA) && has(own, mdns.TypeAAAA)
	return h, all && len(h.addresses) > 0
}

func addressesIn(records []mdns.RR) (all []netip.Addr) {
	for _, rr := range records {
		var ip []byte
		switch rr := rr.(type) {
		case *mdns.A:
			ip = rr.A.To4()
		case *mdns.AAAA:
			ip = rr.AAAA.To16()
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a)
		}
	}
	return all
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
