package etcd

import (
	"context"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A stream is one Watch call of the protocol, with several watches in it. It is used bare, because
// the Watcher of etcd's client begins again by itself when a stream ends, which hides that, and
// waits for ever for one that says nothing (etcd-io/etcd#17611).
//
// The stream owns one goroutine, receive; close ends and awaits it.
type stream struct {
	conn      *conn
	ctx       context.Context
	cancel    context.CancelFunc
	client    pb.Watch_WatchClient
	responses chan *pb.WatchResponse // closed at the end; err says why then
	err       error
	receiver  sync.WaitGroup
}

// A span is what one watch of a stream covers: a key, or what begins with it.
type span struct {
	key    string
	prefix bool
}

// newStream opens a stream with a watch for each span, from the given revision on. It ends when ctx
// is done, and with the connection.
func newStream(ctx context.Context, n *conn, from int64, spans ...span) (*stream, error) {
	s := &stream{conn: n, responses: make(chan *pb.WatchResponse)}
	s.ctx, s.cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	stop := context.AfterFunc(n.ctx, s.cancel)
	var err error
	if s.client, err = pb.NewWatchClient(n.ActiveConnection()).Watch(s.ctx); err != nil {
		stop()
		s.cancel()
		return nil, err
	}
	s.receiver.Go(func() {
		defer stop()
		s.receive()
	})
	for _, w := range spans {
		create := &pb.WatchCreateRequest{Key: []byte(w.key), StartRevision: from, Fragment: true}
		if w.prefix {
			create.RangeEnd = []byte(clientv3.GetPrefixRangeEnd(w.key))
		}
		request := &pb.WatchRequest_CreateRequest{CreateRequest: create}
		if err := s.client.Send(&pb.WatchRequest{RequestUnion: request}); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// receive hands on what comes, until the stream ends.
func (s *stream) receive() {
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

// ask wants a sign of life. Every server answers at once; that does not mean that nothing is missing
// (etcd-io/etcd#15220).
func (s *stream) ask() error {
	request := &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
	return s.client.Send(&pb.WatchRequest{RequestUnion: request})
}

// check returns what a response says of the end of a watch. The watches of a stream live and end
// together.
func check(r *pb.WatchResponse) error {
	switch {
	case r.CompactRevision != 0:
		return fmt.Errorf("%w up to revision %d", errCompacted, r.CompactRevision)
	case r.Canceled:
		// The reason is the text of an error, by which explain knows it.
		return fmt.Errorf("%w: %w", errCanceled, explain(status.Error(codes.Unknown, r.CancelReason)))
	}
	return nil
}

func (s *stream) close() {
	s.cancel()
	s.receiver.Wait()
}
