package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/backoff"
)

const (
	getPatience = time.Second // for a connection, before a call fails for want of one
	minAttempt  = 500 * time.Millisecond
	maxAttempt  = 2 * time.Second  // for one address, while a lease may be saved
	longAttempt = 16 * time.Second // and while there is none to be saved any more
	minPause    = 100 * time.Millisecond
	maxPause    = time.Second
	deniedPause = 10 * time.Second
)

// A Cluster keeps one connection to the cluster: it tries one address after the other, and begins
// again when the connection ends. Its one goroutine, run, is owned by it; Close awaits it. Its
// methods may be called concurrently.
type Cluster struct {
	config   *Config
	dial     DialFunc
	ctx      context.Context // done when Close begins
	cancel   context.CancelFunc
	resolver *resolver
	done     chan struct{}

	// Only run uses these.
	held  time.Time // when there was a connection last
	tried int       // rounds in vain since a lease could be saved
	last  address   // that has failed last, and is tried last

	mu      sync.Mutex
	current *Conn         // nil while there is none
	err     error         // why there is none
	changed chan struct{} // closed and replaced when one of these changes
	dials   int64
}

// New returns a cluster that makes connections with dial. It does nothing before Start.
func New(c *Config, dial DialFunc) *Cluster {
	k := &Cluster{
		config:  c,
		dial:    dial,
		done:    make(chan struct{}),
		err:     errUnanswered,
		changed: make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.resolver = newResolver(k.ctx, c.Hosts)
	return k
}

// Start begins to connect.
func (k *Cluster) Start() { go k.run() }

// run keeps a connection until Close.
func (k *Cluster) run() {
	defer close(k.done)
	defer k.resolver.close()
	for k.ctx.Err() == nil {
		n, err := k.round()
		if err != nil {
			k.set(nil, err)
			k.rest(err)
			continue
		}
		k.set(n, nil)
		<-n.ctx.Done()
		k.held, k.last, k.tried = time.Now(), n.address, 0
		k.set(nil, context.Cause(n.ctx))
		n.close()
		backoff.WaitFor(k.ctx.Done(), rand.N(minPause)) // many clients have lost the same member
	}
	k.set(nil, sd.ErrClosed)
}

// round tries every address once.
func (k *Cluster) round() (*Conn, error) {
	addresses, err := k.resolver.round(k.ctx)
	for n, a := range addresses {
		if a == k.last {
			addresses = append(append(addresses[:n:n], addresses[n+1:]...), a)
			break
		}
	}
	timeout := k.attempt(len(addresses))
	for _, a := range addresses {
		k.mu.Lock()
		k.dials++
		k.mu.Unlock()
		ctx, cancel := context.WithTimeout(k.ctx, timeout)
		n, failed := dialConn(ctx, k.ctx, k.config, a, k.dial, timeout)
		cancel()
		if failed == nil {
			return n, nil
		}
		if k.ctx.Err() != nil {
			return nil, sd.ErrClosed
		}
		k.set(nil, failed) // whoever waits may want to know
		err = also(err, failed)
	}
	k.tried++
	return nil, err
}

// also joins errors in one line.
func also(err, next error) error {
	if err == nil {
		return next
	}
	return fmt.Errorf("%w; %w", err, next)
}

// attempt is how long one address may take. While a lease may still live every address has its turn
// before it ends; afterwards the time doubles with each round, because a slow disk, or network,
// must not be met by a storm of dials.
func (k *Cluster) attempt(addresses int) time.Duration {
	t := min(max(k.config.TTL/3/time.Duration(max(addresses, 1)), minAttempt), maxAttempt)
	if time.Since(k.held) < k.config.TTL {
		k.tried = 0
	}
	return min(t<<min(k.tried, 10), longAttempt)
}

// rest pauses between two rounds, long if only a person can mend what is wrong.
func (k *Cluster) rest(err error) {
	d := min(minPause<<min(k.tried, 10), maxPause)
	if errors.Is(err, sd.ErrDenied) {
		d = deniedPause
	}
	backoff.WaitFor(k.ctx.Done(), d/2+rand.N(d/2))
}

func (k *Cluster) set(n *Conn, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.err = n, err
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *Cluster) state() (n *Conn, changed <-chan struct{}, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current != nil && k.current.Over() {
		return nil, k.changed, context.Cause(k.current.ctx)
	}
	return k.current, k.changed, k.err
}

// Current returns the connection, or why there is none. It does not wait.
func (k *Cluster) Current() (*Conn, error) {
	n, _, err := k.state()
	return n, err
}

// Dials counts the connections that were tried.
func (k *Cluster) Dials() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dials
}

// Get returns the connection. While there is none it waits, a second at most, then it says why.
func (k *Cluster) Get(ctx context.Context) (*Conn, error) {
	patience := time.NewTimer(getPatience)
	defer patience.Stop()
	for {
		n, changed, err := k.state()
		switch {
		case n != nil:
			return n, nil
		case errors.Is(err, sd.ErrClosed):
			return nil, sd.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, fmt.Errorf("%w: %w", ErrNoConn, err)
		}
	}
}

// Next waits for a connection for as long as it takes, or until ctx is done.
func (k *Cluster) Next(ctx context.Context) (*Conn, error) {
	for {
		n, err := k.Get(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, sd.ErrClosed) {
			return n, err
		}
	}
}

// Close ends the connection.
func (k *Cluster) Close() {
	k.cancel()
	<-k.done
}
