package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/backoff"
	"example.com/daytime/sd/policy/gate"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	withdrawTimeout = 2 * time.Second        // of a withdrawal, and of Close
	latePause       = 100 * time.Millisecond // between two attempts to withdraw late
	deniedPause     = 10 * time.Second       // the same, when only a person can mend what is wrong
)

// A registration is one instance of this backend, over all calls of Announce. Whoever works on its
// entry holds the turn: an Announce for as long as it lasts, or the goroutine that withdraws late.
type registration struct {
	backend  *Backend
	instance string
	key      string
	turn     chan struct{} // one token

	// The backend's lock guards these.
	announced bool               // an Announce is under way
	late      context.CancelFunc // ends a withdrawal in the background; nil: there is none

	// For the holder of the turn.
	holding
	gate      gate.Gate
	since     time.Time   // when it was registered first
	takeovers []time.Time // within the last minute, from other processes
}

// A holding is an entry that we have, or may have.
type holding struct {
	lease   clientv3.LeaseID // of the entry, if there is one; 0: none
	granted time.Duration
	renewed time.Time // the lease lives for granted from here on, at least
	mod     int64     // revision of our last change of the entry, or as it was read since
	value   string    // of that change, also if it is not confirmed, or as it was read since
}

// Announce implements sd.Backend. The entry has a lease of its own. An entry that a predecessor
// left behind, a process on this host with the same address or an earlier lease of this one, is
// taken over in one step; any other is a conflict.
func (b *Backend) Announce(ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	r, err := b.begin(e.Instance)
	if err != nil {
		return err
	}
	defer b.finish(r)
	if ctx.Err() == nil {
		calling, cancel := b.calling(ctx)
		defer cancel()
		err := r.take(calling)
		if err == nil {
			err = r.announce(calling, e, told)
			r.give()
		}
		if ctx.Err() == nil || b.closed.Err() != nil {
			return b.result(ctx, fmt.Errorf("etcd: announce %s: %w", r.key, err))
		}
	}
	return b.withdraw(ctx, r)
}

// begin notes that an Announce is under way. What an earlier one has left to be withdrawn is wanted
// again, or withdrawn by this one.
func (b *Backend) begin(instance string) (*registration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.registrations[instance]
	switch {
	case b.closed.Err() != nil:
		return nil, sd.ErrClosed
	case r == nil:
		r = &registration{
			backend:  b,
			instance: instance,
			key:      b.config.prefix() + instance,
			turn:     make(chan struct{}, 1),
		}
		r.turn <- struct{}{}
		b.registrations[instance] = r
	case r.announced:
		return nil, fmt.Errorf("etcd: announce %s: %w: by this backend", r.key, sd.ErrConflict)
	}
	r.announced = true
	if r.late != nil {
		r.late()
		r.late = nil
	}
	return r, nil
}

func (b *Backend) finish(r *registration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.announced = false
}

// take waits for the turn.
func (r *registration) take(ctx context.Context) error {
	select {
	case <-r.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *registration) give() { r.turn <- struct{}{} }

// withdraw removes the entry as the end of an Announce with ctx. What could not be confirmed is
// done at the first contact, in the background.
func (b *Backend) withdraw(ctx context.Context, r *registration) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	err := r.withdraw(bounded)
	if err == nil || b.closed.Err() != nil {
		return b.result(ctx, ctx.Err())
	}
	b.withdrawLate(r)
	return &unconfirmedError{r.key, err, ctx.Err()}
}

// withdrawLate goes on until the entry is withdrawn, or wanted again, or the backend is closed.
func (b *Backend) withdrawLate(r *registration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Err() != nil {
		return // Close does it
	}
	ctx, cancel := context.WithCancel(b.closed)
	r.late = cancel
	b.cleaners.Go(func() {
		defer cancel()
		for ctx.Err() == nil {
			err := r.withdraw(ctx)
			switch {
			case err == nil:
				return
			case errors.Is(err, sd.ErrDenied):
				backoff.WaitFor(ctx.Done(), deniedPause)
			default:
				backoff.WaitFor(ctx.Done(), latePause)
			}
		}
	})
}

// withdrawAll is the part of Close in which there still is a connection.
func (b *Backend) withdrawAll() {
	b.mu.Lock()
	var all []*registration
	for _, r := range b.registrations {
		all = append(all, r)
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), withdrawTimeout)
	defer cancel()
	var leaving sync.WaitGroup
	for _, r := range all {
		leaving.Go(func() { _ = r.withdraw(ctx) }) // its lease ends, if this fails
	}
	leaving.Wait()
}

// withdraw removes the entry if it is ours. It says so first, in a change of the value: then
// watchers know that it did not end with its lease. The lease is revoked, and the entry with it:
// whatever request is still on its way with this lease comes to nothing. It goes on, over one
// connection after the other, until ctx is done.
func (r *registration) withdraw(ctx context.Context) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	if r.lease == 0 {
		return nil
	}
	why := cluster.ErrNoConn
	for {
		n, err := r.backend.cluster.Get(ctx)
		if err == nil {
			err = r.leave(ctx, n)
		}
		switch {
		case err == nil, errors.Is(err, sd.ErrClosed):
			return err
		case ctx.Err() != nil:
			return why
		case n != nil && !n.Over():
			return err
		}
		why = err
	}
}

// leave is one attempt to withdraw. Where the last value may not be written, such as in a cluster
// whose space is used up, the lease is revoked all the same: it is in doubt then how the entry left.
func (r *registration) leave(ctx context.Context, n *cluster.Conn) error {
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	_, err := n.Txn(bounded).
		If(clientv3.Compare(clientv3.LeaseValue(r.key), "=", r.lease)).
		Then(clientv3.OpPut(r.key, r.leavingRecord(), clientv3.WithLease(r.lease))).
		Commit()
	if err := n.Judge(ctx, err); err != nil && (ctx.Err() != nil || n.Over()) {
		return err
	}
	if _, err := n.Revoke(bounded, r.lease); err != nil && !cluster.IsLeaseGone(err) {
		return n.Judge(ctx, err)
	}
	r.holding, r.since = holding{}, time.Time{}
	return nil
}
