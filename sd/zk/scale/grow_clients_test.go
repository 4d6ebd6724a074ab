package scale

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
)

// readFrame reads one frame, without its length.
func readFrame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// A ledger is the truth: who is registered, and when that last changed for each. Sets are compared
// by their digests, because comparing a thousand lists of a hundred thousand would be all that the
// machine does.
type ledger struct {
	seed maphash.Seed

	mu      sync.RWMutex // a thousand clients look at once
	digest  digest
	changed map[string]time.Time
}

// A digest is the size of a set and the exclusive or of its members' hashes, which a change alters
// by what it adds and takes away.
type digest struct {
	size int
	sum  uint64
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), changed: map[string]time.Time{}}
}

func (d *digest) add(seed maphash.Seed, name string, up bool) {
	d.sum ^= maphash.String(seed, name)
	if d.size--; up {
		d.size += 2
	}
}

// change notes that instances come or go now.
func (l *ledger) change(up bool, names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, name := range names {
		l.digest.add(l.seed, name, up)
		l.changed[name] = now
	}
}

// lag is the time since the oldest of some changes.
func (l *ledger) lag(names []string) (lag time.Duration) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := time.Now()
	for _, name := range names {
		if at, known := l.changed[name]; known {
			lag = max(lag, now.Sub(at))
		}
	}
	return lag
}

func (l *ledger) truth() digest {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.digest
}

// A light client is a session and an Instancer.
type lightClient struct {
	ledger    *ledger
	backend   *zk.Backend
	instancer *sd.Instancer
	unfollow  func()
	bytes     atomic.Int64 // from ZooKeeper
	worst     atomic.Int64 // lag behind the truth, in nanoseconds

	mu     sync.Mutex
	digest digest
}

func openLightClient(
	l *ledger, target sd.Target, options ...sd.InstancerOption,
) (*lightClient, error) {
	c := &lightClient{ledger: l}
	var err error
	if c.backend, err = zk.OpenBackend(target, zk.Dial(c.dial)); err != nil {
		return nil, err
	}
	c.instancer = sd.NewInstancer(c.backend, kitlog.NewNopLogger(), options...)
	c.unfollow = c.instancer.Follow(c.take)
	return c, nil
}

// dial counts what comes in.
func (c *lightClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{conn, &c.bytes}, nil
}

type countedConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *lightClient) take(change sd.Change) {
	c.mu.Lock()
	if change.Reset {
		c.digest = digest{}
	}
	for _, name := range change.Up {
		c.digest.add(c.ledger.seed, name, true)
	}
	for _, name := range change.Down {
		c.digest.add(c.ledger.seed, name, false)
	}
	c.mu.Unlock()
	if !change.Reset {
		lag := max(c.ledger.lag(change.Up), c.ledger.lag(change.Down))
		c.worst.Store(max(c.worst.Load(), int64(lag)))
	}
}

func (c *lightClient) has() digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.digest
}

func (c *lightClient) close() {
	c.unfollow()
	c.instancer.Stop()
	c.backend.Close()
}

// policyEvery is one client in how many follows the policy, and so reads all attributes.
const policyEvery = 10

// An assembly is many light clients.
type assembly struct {
	ledger  *ledger
	clients []*lightClient
}

// openAssembly opens n clients, and returns when all know all.
func openAssembly(tb testing.TB, l *ledger, target sd.Target, n int) *assembly {
	tb.Helper()
	a := &assembly{ledger: l}
	tb.Cleanup(func() {
		var closing sync.WaitGroup
		for _, c := range a.clients {
			closing.Go(c.close)
		}
		closing.Wait()
	})
	for k := range n {
		var options []sd.InstancerOption
		if k%policyEvery == 0 {
			options = append(options, sd.FollowPolicy())
		}
		c, err := openLightClient(l, target, options...)
		if err != nil {
			tb.Fatal(err)
		}
		a.clients = append(a.clients, c)
		if k%50 == 49 { // a herd is another measurement
			a.settle(tb, bound)
		}
	}
	a.settle(tb, bound)
	return a
}

// behind says who does not know the truth.
func (a *assembly) behind() error {
	want := a.ledger.truth()
	for n, c := range a.clients {
		if s := c.instancer.State(); s.Phase != sd.Live {
			return fmt.Errorf("client %d of %d: %v", n, len(a.clients), s)
		}
		if have := c.has(); have != want {
			return fmt.Errorf("client %d of %d: want %d instances, have %d, or others", n, len(a.clients),
				want.size, have.size)
		}
	}
	return nil
}

// settle returns how long it took until every client knew the truth.
func (a *assembly) settle(tb testing.TB, limit time.Duration) time.Duration {
	tb.Helper()
	return sdtest.Eventually(tb, limit, a.behind)
}

// reckon returns the worst lag since the last reckoning, and what came in, of all clients.
func (a *assembly) reckon() (worst time.Duration, bytes int64) {
	for _, c := range a.clients {
		worst = max(worst, time.Duration(c.worst.Swap(0)))
		bytes += c.bytes.Swap(0)
	}
	return worst, bytes
}

// follows says who follows the policy, and not this version of it.
func (a *assembly) follows(version int64) error {
	for n := 0; n < len(a.clients); n += policyEvery {
		if have := a.clients[n].instancer.Policy().Version; have != version {
			return fmt.Errorf("client %d of %d: want version %d of the policy, have %d",
				n, len(a.clients), version, have)
		}
	}
	return nil
}

// lists counts those that were read.
func (a *assembly) lists() (n int64) {
	for _, c := range a.clients {
		n += c.backend.Stats().Lists
	}
	return n
}
