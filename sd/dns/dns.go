package dns

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/backoff"
	"example.com/daytime/sd/internal/sets"
	mdns "github.com/miekg/dns"
)

var (
	_ sd.Backend   = (*Backend)(nil)
	_ sd.Diagnoser = (*Backend)(nil)
)

const (
	defaultPort = 53
	minTTL      = time.Second // a TTL of 0 does not mean: as fast as you can
	maxTTL      = time.Hour
	minInterval = 100 * time.Millisecond
	maxNoName   = 30 * time.Second // between two questions for a name that is waited for
)

// grammar is part of every error about a target.
const grammar = "dns://[resolver[:port][,resolver[:port]...]]/name[?interval=30s][&port=8897]"

// errNoAnnounce is what Announce returns.
var errNoAnnounce = fmt.Errorf("dns: the DNS %w", sd.ErrNoAnnounce)

// A Backend is what one name stands for. Its methods may be called concurrently; each Watch asks
// for itself.
type Backend struct {
	resolver resolver
	name     string        // absolute
	port     uint16        // of addresses; 0: SRV records are asked for
	interval time.Duration // 0: as long as the TTL
	closed   context.Context
	close    context.CancelFunc

	missing atomic.Bool // there was no such name when a Watch asked last
	pacing  pacing
}

// Open is [OpenBackend] in the form of an entry of sd.Schemes, for the scheme dns.
func Open(t sd.Target) (sd.Backend, error) { return OpenBackend(t) }

// OpenBackend opens the name that t names:
//
//	dns://[resolver[:port][,resolver[:port]...]]/name[?interval=30s][&port=8897]
//
// A resolver's port is 53 if it is left out. OpenBackend does no I/O.
func OpenBackend(t sd.Target) (*Backend, error) {
	b := &Backend{name: mdns.Fqdn(strings.TrimPrefix(t.Path, "/"))}
	err := checkName(b.name)
	for _, h := range t.Hosts {
		if h.Port == 0 {
			h.Port = defaultPort
		}
		if h.Name != "" {
			b.resolver.given = append(b.resolver.given, h.String())
		}
	}
	for key, value := range t.Keys {
		err = errors.Join(err, b.set(key, value))
	}
	if err != nil {
		t.Keys = nil // a mistaken key may have given a secret
		return nil, fmt.Errorf("target %s: %w; want %s", t, err, grammar)
	}
	b.closed, b.close = context.WithCancel(context.Background())
	return b, nil
}

// set takes in one key of the target.
func (b *Backend) set(key, value string) error {
	switch key {
	case "interval":
		d, err := time.ParseDuration(value)
		if err != nil || d < minInterval || d > maxTTL {
			return fmt.Errorf("interval %q: want a duration from %v to %v, such as 30s",
				value, minInterval, maxTTL)
		}
		b.interval = d
	case "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("port %q: want a number from 1 to 65535", value)
		}
		b.port = uint16(n)
	default:
		return fmt.Errorf("key %q: want interval or port", key)
	}
	return nil
}

// checkName refuses what cannot be the name of a service.
func checkName(name string) error {
	_, valid := mdns.IsDomainName(name)
	switch {
	case name == ".":
		return errors.New("want a name after the slash")
	case strings.Contains(name, "/"):
		return fmt.Errorf("name %.100q: want no slash in it", name)
	case !valid || strings.Contains(name, `\`) || strings.Contains(name, ","):
		return fmt.Errorf("name %.100q: want a domain name", name)
	}
	return nil
}

// Watch implements sd.Backend. It waits for a name that does not exist, and returns when there is
// no answer, or when the name is gone. After that the next Watch rests before it asks: 100 ms, and
// twice as long each time, up to 5 s or the interval.
func (b *Backend) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.closed, cancel)()
	set := sets.Set{Want: want}
	b.pacing.rest(asking)
	for asking.Err() == nil {
		records, ttl, err := b.read(asking)
		b.missing.Store(errors.Is(err, errNoName))
		switch {
		case asking.Err() != nil:
		case err == nil:
			b.pacing.answered()
			set.Becomes(entries(records), nil, emit)
			keep(asking, time.Now(), b.pause(ttl))
		case errors.Is(err, errNoName) && !set.Known():
			b.pacing.answered()
			backoff.WaitFor(asking.Done(), min(b.pause(ttl), maxNoName))
		default:
			err = fmt.Errorf("dns: watch %s: %w", b.name, err)
			return b.pacing.failed(err, b.pause(maxRest))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("dns: watch %s: %w", b.name, sd.ErrClosed)
}

// pause is the time until the next question after an answer with ttl.
func (b *Backend) pause(ttl time.Duration) time.Duration {
	ttl = min(max(ttl, minTTL), maxTTL)
	if b.interval == 0 {
		return ttl
	}
	return min(ttl, b.interval)
}

// Announce implements sd.Backend, and fails.
func (b *Backend) Announce(ctx context.Context, _ sd.Entry, _ func(sd.Status)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errNoAnnounce
}

// Err says, while a Watch waits for a name that does not exist, that it does not; and why the last
// one had no answer, until there is one.
func (b *Backend) Err() error {
	if b.missing.Load() {
		return fmt.Errorf("dns: %s: %w", b.name, missing{errNoName})
	}
	return b.pacing.err()
}

// A missing is sd.ErrNoDirectory, in words for a name.
type missing struct{ error }

func (missing) Is(target error) bool { return target == sd.ErrNoDirectory }

// Close ends every call. It returns nil.
func (b *Backend) Close() error {
	b.close()
	return nil
}
