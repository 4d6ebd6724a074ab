package cluster

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Renewals are the stream in which a lease is renewed. It is used bare, because that of etcd's
// client ends for good with some failures (etcd-io/etcd#10821). It owns one goroutine, receive;
// Close ends and awaits it.
type Renewals struct {
	conn      *Conn
	lease     clientv3.LeaseID
	ctx       context.Context
	cancel    context.CancelFunc
	client    pb.Lease_LeaseKeepAliveClient
	Responses chan *pb.LeaseKeepAliveResponse // closed at the end; Err says why then
	err       error
	receiver  sync.WaitGroup
}

// KeepAlive opens the stream and asks for a first renewal. The caller closes it.
func (n *Conn) KeepAlive(ctx context.Context, lease clientv3.LeaseID) (*Renewals, error) {
	s := &Renewals{conn: n, lease: lease, Responses: make(chan *pb.LeaseKeepAliveResponse)}
	s.ctx, s.cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	stop := context.AfterFunc(n.ctx, s.cancel)
	var err error
	if s.client, err = pb.NewLeaseClient(n.ActiveConnection()).LeaseKeepAlive(s.ctx); err != nil {
		stop()
		s.cancel()
		return nil, n.Judge(ctx, err)
	}
	s.receiver.Go(func() {
		defer stop()
		s.receive()
	})
	if err := s.Ask(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Ask wants the lease renewed.
func (s *Renewals) Ask(ctx context.Context) error {
	return s.conn.Judge(ctx, s.client.Send(&pb.LeaseKeepAliveRequest{ID: int64(s.lease)}))
}

// Err says why the stream has ended, to the caller with ctx.
func (s *Renewals) Err(ctx context.Context) error { return s.conn.Judge(ctx, s.err) }

func (s *Renewals) receive() {
	defer close(s.Responses)
	for {
		response, err := s.client.Recv()
		if err != nil {
			s.err = err
			return
		}
		select {
		case s.Responses <- response:
		case <-s.ctx.Done():
			s.err = s.ctx.Err()
			return
		}
	}
}

// Close ends the stream and waits for its goroutine.
func (s *Renewals) Close() {
	s.cancel()
	s.receiver.Wait()
}
