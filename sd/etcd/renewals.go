package etcd

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

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
