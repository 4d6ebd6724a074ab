package etcd

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Why something did not come about. Callers match the errors of package sd; these are words for an
// operator, and for the loops here.
var (
	// Of a connection.
	errNoConn       = errors.New("no connection")
	errUnanswered   = errors.New("no answer yet")
	errDisconnected = errors.New("connection lost")
	errSilent       = errors.New("no answer in time")
	errUnknown      = errors.New("connection closed without an answer: no etcd member, or one that wants TLS")
	errCredentials  = errors.New("credentials are not valid any more")

	// Of the directory.
	errRemoved   = errors.New("directory removed")
	errMissed    = errors.New("an event was missed")
	errCompacted = errors.New("history was compacted")
	errCanceled  = errors.New("watch canceled by the server")

	// Of an entry.
	errLost    = errors.New("registration lost")
	errChanged = errors.New("entry keeps changing")
)

// An unconfirmedError is a withdrawal that was not confirmed. The entry goes with its lease at the
// latest.
type unconfirmedError struct {
	key   string
	cause error
	ctx   error // of the Announce, which was to end
}

func (e *unconfirmedError) Error() string {
	return fmt.Sprintf("etcd: withdraw %s: %v: %v", e.key, sd.ErrUnconfirmed, e.cause)
}

func (e *unconfirmedError) Unwrap() []error { return []error{sd.ErrUnconfirmed, e.cause, e.ctx} }

// explain gives an error of a request its own type and words, without those of gRPC, and marks what
// only a person can mend.
func explain(err error) error {
	if err == nil {
		return nil
	}
	known := rpctypes.Error(err)
	var typed rpctypes.EtcdError
	switch {
	case errors.Is(known, rpctypes.ErrUserEmpty):
		return fmt.Errorf("%w: %w: want auth-file", sd.ErrDenied, known)
	case errors.Is(known, rpctypes.ErrPermissionDenied), errors.Is(known, rpctypes.ErrAuthFailed):
		return fmt.Errorf("%w: %w", sd.ErrDenied, known)
	case errors.As(known, &typed):
		return known
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.DeadlineExceeded:
		return errSilent
	}
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}

// isAuth reports whether a member wants other credentials than those that the connection has.
func isAuth(err error) bool {
	known := rpctypes.Error(err)
	for _, auth := range []error{
		rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision, rpctypes.ErrUserEmpty,
	} {
		if errors.Is(known, auth) {
			return true
		}
	}
	return false
}

// ends reports whether an error of a request says that its connection, or the member at its end,
// does not serve; all others are about the request.
func ends(err error) bool {
	var typed rpctypes.EtcdError
	code := status.Code(err)
	if errors.As(rpctypes.Error(err), &typed) {
		code = typed.Code()
	}
	switch code {
	case codes.PermissionDenied, codes.FailedPrecondition, codes.NotFound, codes.OutOfRange,
		codes.InvalidArgument, codes.ResourceExhausted, codes.AlreadyExists:
		return false
	}
	return true
}
