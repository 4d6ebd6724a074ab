package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/record"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	publishTries = 5 // while others change the entry at the same time
	// maxTakeovers bounds them in a minute. More is two processes fighting over one address.
	maxTakeovers = 3
)

// publish makes sure that the entry exists and has our lease, and then that there is a directory:
// in the other order there would be one without servers for a moment.
func (a *announcement) publish(ctx context.Context, n *cluster.Conn) error {
	err := a.acquire(ctx, n, true)
	if err == nil {
		a.createParent(ctx, n)
	}
	return err
}

// acquire puts an entry with our lease in the place of what is there, if that may be replaced. The
// place of nothing is filled only if creates.
func (a *announcement) acquire(ctx context.Context, n *cluster.Conn, creates bool) error {
	for range publishTries {
		found, err := a.get(ctx, n)
		switch {
		case err != nil:
			return err
		case found != nil:
			err = a.mayReplace(found)
		case !creates:
			return nil
		}
		if err == nil {
			err = a.ensureLease(ctx, n)
		}
		if err != nil {
			return err
		}
		switch done, err := a.put(ctx, n, found); {
		case cluster.IsLeaseGone(err):
			a.expired()
		case err != nil:
			return n.Judge(ctx, err)
		case done:
			return nil
		}
	}
	return errChanged
}

// erase takes the entry away, if it is ours. One that a predecessor left is acquired before, and so
// leaves as one that withdraws. Anybody else's stays.
func (a *announcement) erase(ctx context.Context, n *cluster.Conn) error {
	if a.lease == 0 {
		err := a.acquire(ctx, n, false)
		if errors.Is(err, sd.ErrConflict) || err == nil && a.lease == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return a.leave(ctx, n)
}

// createParent makes the directory's own key, if it is missing: with it an empty directory is a
// set, without it nothing is known. Whoever may register need not be allowed to.
func (r *registration) createParent(ctx context.Context, n *cluster.Conn) {
	parent := r.backend.config.Key
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	_, _ = n.Txn(bounded).
		If(clientv3.Compare(clientv3.CreateRevision(parent), "=", 0)).
		Then(clientv3.OpPut(parent, "")).
		Commit()
}

// get reads the entry as the majority has it; nil: there is none.
func (r *registration) get(ctx context.Context, n *cluster.Conn) (*mvccpb.KeyValue, error) {
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	got, err := n.Get(bounded, r.key)
	if err != nil || len(got.Kvs) == 0 {
		return nil, n.Judge(ctx, err)
	}
	return got.Kvs[0], nil
}

// mayReplace returns nil if an entry is ours, of this or of an earlier lease, or was written by
// this host for the same address. Anything else belongs to somebody, even if its value is empty;
// and what has no lease was put there by hand.
func (r *registration) mayReplace(found *mvccpb.KeyValue) error {
	if r.lease != 0 && clientv3.LeaseID(found.Lease) == r.lease {
		return nil
	}
	if found.Lease == 0 {
		return fmt.Errorf("%w: a permanent key, which only a person can delete, value %.100q",
			sd.ErrConflict, found.Value)
	}
	other, _ := record.Parse(found.Value) // attributes do not matter here
	if !other.Precedes(r.backend.owner, r.instance) {
		return fmt.Errorf("%w: lease %x, value %.100q", sd.ErrConflict, found.Lease, found.Value)
	}
	if r.countTakeovers() >= maxTakeovers {
		return fmt.Errorf("%w: process %d on this host; entries were taken from it, or its like, "+
			"%d times within a minute", sd.ErrConflict, other.Owner.Process, len(r.takeovers))
	}
	return nil
}

// ensureLease finds that the lease lives, or gets another one.
func (r *registration) ensureLease(ctx context.Context, n *cluster.Conn) error {
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	began := time.Now()
	if r.lease != 0 {
		alive, err := n.KeepAliveOnce(bounded, r.lease)
		if err == nil {
			r.renewed, r.granted = began, seconds(alive.TTL)
			return nil
		}
		if !cluster.IsLeaseGone(err) {
			return n.Judge(ctx, err)
		}
		r.expired()
	}
	lease, err := n.Grant(bounded, int64(r.backend.config.TTL/time.Second))
	if err != nil {
		return n.Judge(ctx, err)
	}
	r.lease, r.renewed, r.granted = lease.ID, began, seconds(lease.TTL)
	return nil
}

// expired notes that the lease has ended.
func (r *registration) expired() {
	r.holding = holding{}
	r.backend.countExpiry()
}

// put creates the entry, or puts it in the place of what was found, which must be that still: the
// name is never missing in between. It is not done if somebody was quicker. An entry that is as it
// should be already is not written.
func (a *announcement) put(
	ctx context.Context, n *cluster.Conn, found *mvccpb.KeyValue,
) (done bool, err error) {
	if a.since.IsZero() {
		a.since = time.Now()
	}
	a.value = a.record()
	ours := found != nil && clientv3.LeaseID(found.Lease) == a.lease
	if ours && string(found.Value) == a.value {
		a.mod = found.ModRevision
		return true, nil
	}
	unchanged := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(a.key), "=", 0)}
	if found != nil {
		unchanged = []clientv3.Cmp{
			clientv3.Compare(clientv3.ModRevision(a.key), "=", found.ModRevision),
			clientv3.Compare(clientv3.Value(a.key), "=", string(found.Value)),
		}
	}
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	result, err := n.Txn(bounded).
		If(unchanged...).
		Then(clientv3.OpPut(a.key, a.value, clientv3.WithLease(a.lease))).
		Commit()
	if err != nil || !result.Succeeded {
		return false, err
	}
	a.mod = result.Header.Revision
	if found != nil && !ours && !a.wrote(found) {
		a.takeovers = append(a.takeovers, time.Now())
	}
	return true, nil
}

// update replaces the value of an entry that is ours, if it is not what it should be.
func (a *announcement) update(ctx context.Context, n *cluster.Conn) error {
	value := a.record()
	if a.value == value {
		return nil
	}
	a.value = value
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	result, err := n.Txn(bounded).
		If(clientv3.Compare(clientv3.LeaseValue(a.key), "=", a.lease)).
		Then(clientv3.OpPut(a.key, value, clientv3.WithLease(a.lease))).
		Commit()
	switch {
	case cluster.IsLeaseGone(err):
		return fmt.Errorf("%w: the lease has ended", errLost)
	case err != nil:
		return n.Judge(ctx, err)
	case !result.Succeeded:
		return fmt.Errorf("%w: entry changed", errLost)
	}
	a.mod = result.Header.Revision
	return nil
}

// countTakeovers counts those of the last minute.
func (r *registration) countTakeovers() int {
	minuteAgo := time.Now().Add(-time.Minute)
	r.takeovers = slices.DeleteFunc(r.takeovers, func(t time.Time) bool { return t.Before(minuteAgo) })
	return len(r.takeovers)
}

// wrote reports whether this process wrote an entry. In containers the number of a process is that
// of others as well.
func (r *registration) wrote(found *mvccpb.KeyValue) bool {
	other, _ := record.Parse(found.Value)
	own := r.backend.owner
	return other.Owner.Process == own.Process && other.Owner.Start.Unix() == own.Start.Unix()
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func lastSlash(path string) int { return strings.LastIndexByte(path, '/') }
