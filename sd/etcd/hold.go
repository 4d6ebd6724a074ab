package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// hold returns when ctx is done, or when the entry is lost. It goes on over one connection after the
// other for as long as the lease may live, and writes nothing.
func (r *registration) hold(ctx context.Context, n *conn) error {
	for {
		err := r.keep(ctx, n)
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errCompacted):
			continue // what has happened to the entry is read
		case !n.over():
			return err
		}
		alive, cancel := context.WithDeadline(ctx, r.renewed.Add(r.granted))
		n, err = r.backend.connector.next(alive)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				_, why, _ := r.backend.connector.state()
				err = fmt.Errorf("%w: nothing was heard for the lease's %v: %w", errLost, r.granted, why)
			}
			return err
		}
	}
}

// keep holds the entry over one connection: it renews the lease, and watches the key.
func (r *registration) keep(ctx context.Context, n *conn) error {
	revision, err := r.verify(ctx, n)
	if err != nil {
		return err
	}
	changes, err := newStream(ctx, n, revision+1, span{key: r.key})
	if err != nil {
		return n.judge(ctx, err)
	}
	defer changes.close()
	renewals, err := newRenewals(ctx, n, r.lease)
	if err != nil {
		return n.judge(ctx, err)
	}
	defer renewals.close()
	return r.attend(ctx, n, changes, renewals)
}

// attend waits for what may happen to an entry that is held.
func (r *registration) attend(ctx context.Context, n *conn, changes *stream, renewals *renewals) error {
	renew := time.NewTicker(r.granted / 3)
	defer renew.Stop()
	overdue := time.NewTimer(r.backend.config.patience())
	defer overdue.Stop()
	audit := time.NewTicker(auditEvery)
	defer audit.Stop()
	asked := time.Now() // for the renewal that newRenewals has begun with; zero: none is under way
	for {
		select {
		case response, open := <-changes.responses:
			if !open {
				return n.judge(ctx, changes.err)
			}
			if err := r.check(response); err != nil {
				return err
			}
		case response, open := <-renewals.responses:
			if !open {
				return n.judge(ctx, renewals.err)
			}
			if response.TTL <= 0 {
				return fmt.Errorf("%w: the lease has ended", errLost)
			}
			r.renewed, r.granted, asked = asked, seconds(response.TTL), time.Time{}
			overdue.Stop()
		case now := <-renew.C:
			if !asked.IsZero() {
				continue // overdue decides
			}
			asked = now
			overdue.Reset(r.backend.config.patience())
			if err := renewals.ask(); err != nil {
				return n.judge(ctx, err)
			}
		case <-overdue.C:
			n.end(n.because(errSilent))
			return errSilent
		case <-audit.C:
			if _, err := r.verify(ctx, n); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// verify returns an error that matches errLost if the entry is not, or not any more, ours.
func (r *registration) verify(ctx context.Context, n *conn) (revision int64, err error) {
	bounded, cancel := n.bounded(ctx, requestTimeout)
	defer cancel()
	got, err := n.Get(bounded, r.key)
	switch {
	case err != nil:
		return 0, n.judge(ctx, err)
	case len(got.Kvs) == 0:
		return 0, fmt.Errorf("%w: entry removed", errLost)
	}
	return got.Header.Revision, r.owned(got.Kvs[0])
}

// check is what a change of the entry means.
func (r *registration) check(response *pb.WatchResponse) error {
	if err := check(response); err != nil {
		return err
	}
	for _, e := range response.Events {
		if e.Type == mvccpb.DELETE {
			return fmt.Errorf("%w: entry removed", errLost)
		}
		if err := r.owned(e.Kv); err != nil {
			return err
		}
	}
	return nil
}

func (r *registration) owned(kv *mvccpb.KeyValue) error {
	if lease := clientv3.LeaseID(kv.Lease); lease != r.lease {
		return fmt.Errorf("%w: entry belongs to lease %x, ours is %x", errLost, lease, r.lease)
	}
	return nil
}

// Renewals are the stream in which a lease is renewed. It is used bare, because that of etcd's client
// ends for good with some failures (etcd-io/etcd#10821), and a stream for each renewal would cost a
// check of the password each time. It owns one goroutine, receive; close ends and awaits it.
type renewals struct {
	lease     clientv3.LeaseID
	ctx       context.Context
	cancel    context.CancelFunc
	client    pb.Lease_LeaseKeepAliveClient
	responses chan *pb.LeaseKeepAliveResponse // closed at the end; err says why then
	err       error
	receiver  sync.WaitGroup
}

// newRenewals opens the stream and asks for a first renewal.
func newRenewals(ctx context.Context, n *conn, lease clientv3.LeaseID) (*renewals, error) {
	s := &renewals{lease: lease, responses: make(chan *pb.LeaseKeepAliveResponse)}
	s.ctx, s.cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	stop := context.AfterFunc(n.ctx, s.cancel)
	var err error
	if s.client, err = pb.NewLeaseClient(n.ActiveConnection()).LeaseKeepAlive(s.ctx); err != nil {
		stop()
		s.cancel()
		return nil, err
	}
	s.receiver.Go(func() {
		defer stop()
		s.receive()
	})
	if err := s.ask(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *renewals) ask() error { return s.client.Send(&pb.LeaseKeepAliveRequest{ID: int64(s.lease)}) }

func (s *renewals) receive() {
	defer close(s.responses)
	for {
		response, err := s.client.Recv()
		if err != nil {
			s.err = err
			return
		}
		select {
		case s.responses <- response:
		case <-s.ctx.Done():
			s.err = s.ctx.Err()
			return
		}
	}
}

func (s *renewals) close() {
	s.cancel()
	s.receiver.Wait()
}
