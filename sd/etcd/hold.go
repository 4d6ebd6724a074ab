package etcd

import (
	"context"
	"fmt"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// publishAndKeep holds the entry over one connection: it renews the lease, and is told of what
// happens to the key.
func (a *announcement) publishAndKeep(
	ctx context.Context, s *steering, again <-chan time.Time,
) error {
	if a.status.Phase != sd.Registered {
		if err := a.publish(ctx, s.conn); err != nil {
			return err
		}
		a.tell(ctx, sd.Registered, nil)
	} else if err := a.update(ctx, s.conn); err != nil {
		return err
	}
	renewals, err := s.conn.KeepAlive(ctx, a.lease)
	if err != nil {
		return err
	}
	defer renewals.Close()
	return a.attend(ctx, s, renewals, again)
}

// attend waits for what may happen to an entry that is held.
func (a *announcement) attend(
	ctx context.Context, s *steering, renewals *cluster.Renewals, again <-chan time.Time,
) error {
	renew := time.NewTicker(a.granted / 3)
	defer renew.Stop()
	overdue := time.NewTimer(a.backend.config.Patience())
	defer overdue.Stop()
	asked := time.Now() // for the renewal that newRenewals has begun with; zero: none is under way
	for {
		select {
		case response, open := <-s.stream.Responses:
			if !open {
				return s.stream.Err(ctx)
			}
			if err := a.check(s, response); err != nil {
				return err
			}
		case response, open := <-renewals.Responses:
			if !open {
				return renewals.Err(ctx)
			}
			if response.TTL <= 0 {
				return fmt.Errorf("%w: the lease has ended", errLost)
			}
			a.renewed, a.granted, asked = asked, seconds(response.TTL), time.Time{}
			overdue.Stop()
		case <-renew.C:
			if !asked.IsZero() {
				continue // overdue decides
			}
			asked = time.Now()
			overdue.Reset(a.backend.config.Patience())
			if err := renewals.Ask(ctx); err != nil {
				return err
			}
		case <-overdue.C:
			return s.conn.Silent()
		case <-s.audit:
			if err := a.audit(ctx, s); err != nil {
				return err
			}
			if !asked.IsZero() {
				overdue.Reset(a.backend.config.Patience()) // no answer was taken meanwhile
			}
		case next, open := <-a.changes:
			if a.takeAttributes(next, open) {
				return errSteered // which may be for what it says of itself; then it is not written
			}
		case <-again:
			return errSteered
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check is what a response of the stream means for an entry that is held. What has happened to the
// key before it became ours does not matter.
func (a *announcement) check(s *steering, response *pb.WatchResponse) error {
	if err := cluster.Check(response); err != nil {
		return err
	}
	for _, e := range response.Events {
		if string(e.Kv.Key) != a.key || e.Kv.ModRevision <= a.mod {
			continue
		}
		found := e.Kv
		if e.Type == mvccpb.DELETE {
			found = nil
		}
		if err := a.owned(found); err != nil {
			return err
		}
	}
	if a.readPolicy(s, response.Events) {
		return errSteered
	}
	return nil
}

// owned takes note of an entry that is ours, and returns an error that matches errLost if what was
// found is not, or not any more.
func (r *registration) owned(found *mvccpb.KeyValue) error {
	if found == nil {
		return fmt.Errorf("%w: entry removed", errLost)
	}
	if lease := clientv3.LeaseID(found.Lease); lease != r.lease {
		return fmt.Errorf("%w: entry belongs to lease %x, ours is %x", errLost, lease, r.lease)
	}
	r.mod, r.value = found.ModRevision, string(found.Value)
	return nil
}
