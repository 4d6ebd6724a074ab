package zk

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// patience is how long a call waits for a session before it says that there is
// none.
const patience = time.Second

// mostHeld is how many of its own sessions a keeper remembers: those whose
// nodes may still be there.
const mostHeld = 100

// A keeper holds one ZooKeeper session for a backend. Go-zookeeper's Conn does
// that well until a server has seen less than the session, because its data was
// wiped or restored: every server then refuses the Conn for ever
// (https://github.com/go-zookeeper/zk/issues/36). But a plain restart must lead
// back to the old session, since giving it up would cost the registrations. So
// while there is no session the keeper probes with a second client, and takes
// it only if it got a session and the old one was refused after that, by the
// same server: with the new session this server has seen all that was committed
// before. That another one refuses says nothing; it may be voting. A probe that
// has held its session for a whole timeout is taken as well: the old one, which
// nobody has heard from for longer than that, has expired.
type keeper struct {
	config config
	dial   DialFunc
	sink   func(*link, gozk.Event)
	pacer  *pacer // shared by all clients
	dials  atomic.Int64
	wake   chan struct{} // capacity 1: a client has changed
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when the keeper's goroutine has ended
	probe  *client       // only the keeper's goroutine uses it

	mu        sync.Mutex
	current   *client
	link      *link         // nil while there is no session
	changed   chan struct{} // closed and replaced when link changes
	held      []int64       // the sessions that were ours, the newest last
	recreated int64
	unwanted  *link           // whose session is to be ended
	ended     bool            // the session was, by close
	old       map[string]bool // servers that do not know addWatch
}

func newKeeper(c config, dial DialFunc, sink func(*link, gozk.Event)) (*keeper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{
		config:  c,
		dial:    dial,
		sink:    sink,
		pacer:   newPacer(len(c.hosts)),
		wake:    make(chan struct{}, 1),
		ctx:     ctx,
		cancel:  cancel,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		old:     map[string]bool{},
	}
	first, err := k.newClient()
	if err != nil {
		cancel()
		return nil, err
	}
	k.current = first
	go k.run()
	return k, nil
}

func (k *keeper) newClient() (*client, error) {
	return newClient(k.config, k.dial, k.pacer, &k.dials, k.poke, k.sink)
}

// poke wakes the keeper's goroutine. It does not block.
func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run follows the clients until close.
func (k *keeper) run() {
	defer close(k.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for k.ctx.Err() == nil {
		timer.Reset(k.step())
		select {
		case <-k.ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
	}
	var closing sync.WaitGroup // each may wait a second for a server
	closing.Go(k.dropProbe)
	ended := k.current.close()
	closing.Wait()
	k.publish(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = ended
}

// step publishes what the current client has, starts, adopts or drops the
// probe, and returns when to look again if nothing happens.
func (k *keeper) step() time.Duration {
	l, lost, refused, _ := k.current.status()
	if l != nil && k.isUnwanted(l) {
		k.restart()
		return 0
	}
	k.publish(l)
	if l != nil {
		k.dropProbe()
		return time.Hour
	}
	t := k.timeout()
	if k.probe == nil {
		outage := time.Since(lost)
		if outage < t/3 {
			return t/3 - outage
		}
		if refused.After(lost) || outage > 3*t {
			k.probe, _ = k.newClient()
		}
		return t
	}
	if probed, _, _, _ := k.probe.status(); probed != nil {
		if k.current.refusedBy(probed.server).After(probed.since) || time.Since(probed.since) > t {
			k.adopt(probed)
			return 0
		}
		k.current.hosts.prefer(probed.server)
	}
	return t
}

// adopt replaces the current client by the probe, whose link is l.
func (k *keeper) adopt(l *link) {
	k.mu.Lock()
	old := k.current
	k.current, k.probe = k.probe, nil
	k.recreated++
	k.mu.Unlock()
	k.publish(l)
	old.close()
}

// renew has the session of l ended, and with it its nodes, and another begun.
func (k *keeper) renew(l *link) {
	k.mu.Lock()
	k.unwanted = l
	k.mu.Unlock()
	k.poke()
}

func (k *keeper) isUnwanted(l *link) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unwanted == l
}

// restart replaces the current client by a new one.
func (k *keeper) restart() {
	k.publish(nil)
	k.current.close()
	next, err := k.newClient()
	if err != nil {
		return // as long as there is none the probes go on
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = next
}

func (k *keeper) dropProbe() {
	if k.probe != nil {
		k.probe.close()
		k.probe = nil
	}
}

// publish makes l the link that callers get.
func (k *keeper) publish(l *link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l == k.link {
		return
	}
	k.link = l
	if l != nil && !slices.Contains(k.held, l.session) {
		k.held = append(k.held, l.session)
		k.held = k.held[max(0, len(k.held)-mostHeld):]
	}
	close(k.changed)
	k.changed = make(chan struct{})
}

// close ends the session, and with it every node of it, if a server answers.
func (k *keeper) close() {
	k.cancel()
	<-k.done
}
