package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A Stream is one Watch call of the protocol, with several watches in it. It is used bare, because
// the Watcher of etcd's client begins again by itself when a stream ends, which hides that, and
// waits for ever for one that says nothing (etcd-io/etcd#17611).
//
// The stream owns one goroutine, receive; Close ends and awaits it.
type Stream struct {
	conn      *Conn
	ctx       context.Context
	cancel    context.CancelFunc
	client    pb.Watch_WatchClient
	Responses chan *pb.WatchResponse // closed at the end; Err says why then
	err       error
	receiver  sync.WaitGroup
	watches   int // in it
}

// A Span is what one watch of a stream covers: a key, or what begins with it.
type Span struct {
	Key    string
	Prefix bool
}

// Watch opens a stream with a watch for each span, from the given revision on, or, if that is 0, from
// where each is armed. It is not one that has not come yet: of a watch that waits for that there is
// no sign of life while nobody writes (etcd-io/etcd#20221). The stream ends when ctx is done, and
// with the connection. The caller closes it.
func (n *Conn) Watch(ctx context.Context, from int64, spans ...Span) (*Stream, error) {
	s := &Stream{conn: n, Responses: make(chan *pb.WatchResponse), watches: len(spans)}
	s.ctx, s.cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	stop := context.AfterFunc(n.ctx, s.cancel)
	var err error
	if s.client, err = pb.NewWatchClient(n.ActiveConnection()).Watch(s.ctx); err != nil {
		stop()
		s.cancel()
		return nil, n.Judge(ctx, err)
	}
	s.receiver.Go(func() {
		defer stop()
		s.receive()
	})
	for _, w := range spans {
		create := &pb.WatchCreateRequest{Key: []byte(w.Key), StartRevision: from, Fragment: true}
		if w.Prefix {
			create.RangeEnd = []byte(clientv3.GetPrefixRangeEnd(w.Key))
		}
		request := &pb.WatchRequest_CreateRequest{CreateRequest: create}
		if err := s.client.Send(&pb.WatchRequest{RequestUnion: request}); err != nil {
			s.Close()
			return nil, n.Judge(ctx, err)
		}
	}
	return s, nil
}

// Arm waits until every watch is armed. What they tell until then is dropped: whoever reads after it
// finds it there.
func (s *Stream) Arm(ctx context.Context) error {
	silent := time.NewTimer(RequestTimeout)
	defer silent.Stop()
	for armed := 0; armed < s.watches; {
		select {
		case r, open := <-s.Responses:
			if !open {
				return s.Err(ctx)
			}
			if err := Check(r); err != nil {
				return err
			}
			if r.Created {
				armed++
			}
		case <-silent.C:
			return s.conn.Silent()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// receive hands on what comes, until the stream ends.
func (s *Stream) receive() {
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

// Ask wants a sign of life. A server answers at once, or once it has told what there was before;
// that does not mean that nothing is missing (etcd-io/etcd#15220).
func (s *Stream) Ask(ctx context.Context) error {
	request := &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
	return s.conn.Judge(ctx, s.client.Send(&pb.WatchRequest{RequestUnion: request}))
}

// Err says why the stream has ended, to the caller with ctx.
func (s *Stream) Err(ctx context.Context) error { return s.conn.Judge(ctx, s.err) }

// Check returns what a response says of the end of a watch. The watches of a stream live and end
// together.
func Check(r *pb.WatchResponse) error {
	switch {
	case r.CompactRevision != 0:
		return fmt.Errorf("%w up to revision %d", ErrCompacted, r.CompactRevision)
	case r.Canceled:
		// The reason is the text of an error of gRPC, by whose end Explain knows it.
		reason := r.CancelReason
		if _, text, found := strings.Cut(reason, " desc = "); found {
			reason = text
		}
		return fmt.Errorf("%w: %w", errCanceled, Explain(status.Error(codes.Unknown, reason)))
	}
	return nil
}

// Close ends the stream and waits for its goroutine.
func (s *Stream) Close() {
	s.cancel()
	s.receiver.Wait()
}
