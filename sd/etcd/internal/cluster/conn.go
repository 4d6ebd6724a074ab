package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"example.com/daytime/sd"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// RequestTimeout bounds one small request. A member that takes longer is given up for another one.
const RequestTimeout = 3 * time.Second

// A DialFunc makes a connection to host:port. It is that of a net.Dialer.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A Conn is a connection to one member that has answered. Whoever finds that it does not serve any
// more ends it for all: etcd's own client would go on with it, and give a member that is frozen, or
// has lost the others, its share of the requests (etcd-io/etcd#8980).
type Conn struct {
	*clientv3.Client
	address address
	ctx     context.Context // done when the connection is over; its cause is why
	end     context.CancelCauseFunc
	watcher sync.WaitGroup // the goroutine that notices a disconnect; close awaits it

	plain bool // without TLS

	mu     sync.Mutex
	served bool  // a request was answered
	reason error // of the transport, where it is more than gRPC tells
}

// dialConn connects to a member and asks it something that only one of a quorum can answer. It
// returns when ctx is done, with the reason why there is no connection.
func dialConn(
	ctx, closed context.Context, c *Config, a address, dial DialFunc, timeout time.Duration,
) (*Conn, error) {
	n := &Conn{address: a, plain: !c.TLS.used()}
	tokens := newTokens(c)
	n.ctx, n.end = context.WithCancelCause(closed)
	defer context.AfterFunc(ctx, func() { n.end(ctx.Err()) })()
	var err error
	n.Client, err = clientv3.New(clientv3.Config{
		Endpoints:       []string{a.addr.String()},
		Context:         n.ctx,
		DialTimeout:     timeout,
		MaxUnaryRetries: 1,
		Logger:          zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(n.dialer(c.TLS, dial)),
			grpc.WithPerRPCCredentials(tokens),
			grpc.WithChainUnaryInterceptor(tokens.intercept),
			grpc.WithIdleTimeout(0),
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: timeout}),
		},
	})
	if err == nil {
		err = n.probe(c, tokens, timeout)
	}
	if err != nil {
		err = n.because(err)
		n.end(err)
		n.close()
		return nil, err
	}
	n.mu.Lock()
	n.served = true
	n.mu.Unlock()
	n.watcher.Go(n.notice)
	return n, nil
}

// dialer connects for gRPC. A connection is made once: gRPC would try again, its requests would
// wait for that, and it has words of its own for what failed.
func (n *Conn) dialer(files TLS, dial DialFunc) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		raw, err := dial(ctx, "tcp", n.address.addr.String())
		if err == nil && files.used() {
			raw, err = files.secure(ctx, raw, n.address.host)
		}
		if err != nil {
			n.broke(err)
			return nil, err
		}
		return &endingConn{raw, n}, nil
	}
}

// An endingConn ends its owner when it breaks.
type endingConn struct {
	net.Conn
	owner *Conn
}

func (c *endingConn) Read(b []byte) (int, error) {
	k, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.owner.broke(err)
	}
	return k, err
}

// broke ends the connection for what has happened below gRPC.
func (n *Conn) broke(err error) {
	n.mu.Lock()
	if n.reason == nil {
		n.reason = err
	}
	n.mu.Unlock()
	n.end(n.because(err))
}

// because is what err says, or what has happened below it.
func (n *Conn) because(err error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reason != nil {
		err = n.reason
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err // the address stands there already
	}
	if n.plain && !n.served && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		err = errUnknown
	}
	return fmt.Errorf("%s: %w", n.address, Explain(err))
}

// probe gets a token, and reads a key. A member that is denied to us answers, too.
func (n *Conn) probe(c *Config, t *tokens, timeout time.Duration) error {
	ctx, cancel := n.Bounded(n.ctx, timeout)
	defer cancel()
	if err := t.renew(ctx, n.ActiveConnection(), ""); err != nil {
		return err
	}
	_, err := n.Get(ctx, c.Key, clientv3.WithCountOnly())
	if err = Explain(err); errors.Is(err, sd.ErrDenied) && c.AuthFile != "" {
		return nil
	}
	return err
}

// notice ends the connection when gRPC has lost it. gRPC lets a request through before it says that
// it is ready, so the answer to the first one may be here earlier.
func (n *Conn) notice() {
	channel := n.ActiveConnection()
	for channel.GetState() == connectivity.Connecting {
		if !channel.WaitForStateChange(n.ctx, connectivity.Connecting) {
			return
		}
	}
	if channel.WaitForStateChange(n.ctx, connectivity.Ready) {
		n.end(n.because(errDisconnected))
	}
}

// Bounded is ctx for a request that fails where there is no leader, that ends with the connection,
// and takes no longer than timeout.
func (n *Conn) Bounded(
	ctx context.Context, timeout time.Duration,
) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), timeout)
	stop := context.AfterFunc(n.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// Judge explains the error of a request, and ends the connection if that is to blame.
func (n *Conn) Judge(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // it was the caller who had enough
		return ctx.Err()
	case n.ctx.Err() != nil:
		return context.Cause(n.ctx)
	case IsAuth(err): // the next connection decides with what the file says by then
		err = fmt.Errorf("%w: %w", errCredentials, rpctypes.Error(err))
		n.end(err)
		return err
	case ends(err):
		err = n.because(err)
		n.end(err)
		return err
	}
	return Explain(err)
}

// Over reports whether the connection has ended.
func (n *Conn) Over() bool { return n.ctx.Err() != nil }

// Silent ends the connection, because its member does not answer, and returns why.
func (n *Conn) Silent() error {
	n.end(n.because(ErrSilent))
	return context.Cause(n.ctx)
}

// Server is the member's address.
func (n *Conn) Server() string { return n.address.String() }

// close releases what the connection holds. It has ended before.
func (n *Conn) close() {
	if n.Client != nil {
		_ = n.Client.Close() // says that its context is done
	}
	n.watcher.Wait()
}
