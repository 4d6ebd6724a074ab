package cluster

import (
	"context"
	"errors"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authenticate is the method that gives a token for a password.
const authenticate = "/etcdserverpb.Auth/Authenticate"

// A tokens shows a token with every request of a connection, and gets another one when a member
// says that it is old. It does what etcd's own client does with a user and a password, but for two
// things. That client shows the old token when it asks for another one, which etcd 3.4 answers with
// that it is old, so that the client asks for another one, and so on. And it has the password
// checked for each stream.
type tokens struct {
	config *Config
	turn   chan struct{} // one token, for who asks for one

	mu    sync.Mutex
	token string // "": none, or none is wanted
}

func newTokens(c *Config) *tokens {
	t := &tokens{config: c, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

func (t *tokens) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t *tokens) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	request, _ := credentials.RequestInfoFromContext(ctx)
	token := t.current()
	if token == "" || request.Method == authenticate {
		return nil, nil
	}
	return map[string]string{rpctypes.TokenFieldNameGRPC: token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. It is below gRPC, if there is
// any.
func (t *tokens) RequireTransportSecurity() bool { return false }

// intercept makes a request again, once, if its token was old. It is a grpc.UnaryClientInterceptor.
func (t *tokens) intercept(
	ctx context.Context, method string, request, reply any, channel *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	shown := t.current()
	err := invoke(ctx, method, request, reply, channel, options...)
	if !IsAuth(err) || method == authenticate || t.config.AuthFile == "" {
		return err
	}
	if err := t.renew(ctx, channel, shown); err != nil {
		return err
	}
	return invoke(ctx, method, request, reply, channel, options...)
}

// renew gets a token in the place of the one that was shown, unless another request has done that. A
// member that wants none gives none.
func (t *tokens) renew(ctx context.Context, channel *grpc.ClientConn, shown string) error {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { t.turn <- struct{}{} }()
	if t.current() != shown {
		return nil
	}
	user, password, err := t.config.credentials()
	if err != nil || user == "" {
		return err
	}
	answer, err := pb.NewAuthClient(channel).Authenticate(ctx,
		&pb.AuthenticateRequest{Name: user, Password: password})
	if err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrAuthNotEnabled) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = answer.GetToken()
	return nil
}
