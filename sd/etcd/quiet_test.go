package etcd_test

import (
	"context"
	"net"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// A quiet is a member in whose data nothing happens. Like etcd since 3.4.38, 3.5.22 and 3.6.2 it
// gives no sign of life of a watch that begins at a revision which has not come yet
// (etcd-io/etcd#20221).
type quiet struct {
	pb.UnimplementedKVServer
	pb.UnimplementedWatchServer
	policy string // of the directory, the only key that there is
}

const quietRevision = 7

// startQuiet returns where the member is.
func startQuiet(t testing.TB, q quiet) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, q)
	pb.RegisterWatchServer(server, q)
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func (q quiet) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: quietRevision} }

func (q quiet) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	found := &pb.RangeResponse{Header: q.header()}
	if string(r.Key) == "/go_servers" {
		found.Kvs = []*mvccpb.KeyValue{{Key: r.Key, Value: []byte(q.policy),
			CreateRevision: quietRevision, ModRevision: quietRevision}}
		found.Count = 1
	}
	return found, nil
}

func (q quiet) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	done := &pb.TxnResponse{Header: q.header(), Succeeded: true}
	for _, op := range r.Success {
		found, err := q.Range(ctx, op.GetRequestRange())
		if err != nil {
			return nil, err
		}
		done.Responses = append(done.Responses,
			&pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: found}})
	}
	return done, nil
}

func (q quiet) Watch(s pb.Watch_WatchServer) error {
	future, watches := false, int64(0)
	for {
		r, err := s.Recv()
		if err != nil {
			return nil // the client has gone
		}
		answer := &pb.WatchResponse{Header: q.header(), WatchId: -1}
		if c := r.GetCreateRequest(); c != nil {
			future = future || c.StartRevision > quietRevision
			answer.Created, answer.WatchId = true, watches
			watches++
		} else if future {
			continue
		}
		if err := s.Send(answer); err != nil {
			return nil
		}
	}
}

// A cluster in which nobody writes is not taken for a member that does not answer.
func TestQuietMember(t *testing.T) {
	t.Run("watch", func(t *testing.T) {
		t.Parallel()
		b := open(t, "etcd://"+startQuiet(t, quiet{})+"?ttl=1s")
		v := follow(t, b)
		v.shows()
		staysConnected(t, b.Stats)
		if err := v.live(); err != nil {
			t.Error(err)
		}
	})
	t.Run("withheld", func(t *testing.T) {
		t.Parallel()
		b := open(t, "etcd://"+startQuiet(t, quiet{policy: policy.Header + "\nwithdraw *\n"})+"?ttl=1s")
		r := sdtest.Register(t, b, alice)
		await(t, phase(r, sd.Withheld))
		staysConnected(t, b.Stats)
	})
}

// staysConnected fails the test if there is another connection within several signs of life.
func staysConnected(t testing.TB, stats func() etcd.Stats) {
	t.Helper()
	before := stats()
	<-time.After(6 * time.Second)
	if now := stats(); now.Dials != before.Dials || now.Err != nil {
		t.Errorf("want the connection kept, have %+v after %+v", now, before)
	}
}
