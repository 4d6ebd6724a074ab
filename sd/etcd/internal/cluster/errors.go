package cluster

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What callers tell errors by.
var (
	// ErrNoConn: there is no connection, for the reason that stands beside it.
	ErrNoConn = errors.New("no connection")
	// ErrSilent: a member did not answer in time.
	ErrSilent = errors.New("no answer in time")
	// ErrCompacted: the history that a watch needs is gone.
	ErrCompacted = errors.New("history was compacted")
)

// Why a connection, or a watch, ended.
var (
	errUnanswered   = errors.New("no answer yet")
	errDisconnected = errors.New("connection lost")
	errCredentials  = errors.New("credentials are not valid any more")
	errCanceled     = errors.New("watch canceled by the server")
	errUnknown      = errors.New("connection closed without an answer: " +
		"no etcd member, or one that wants TLS")
)

// Explain gives an error of a request its own type and words, without those of gRPC, and marks what
// only a person can mend.
func Explain(err error) error {
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
		return ErrSilent
	}
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}

// IsAuth reports whether a member wants other credentials than those that the connection has.
func IsAuth(err error) bool {
	known := rpctypes.Error(err)
	for _, auth := range []error{
		rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken,
		rpctypes.ErrAuthOldRevision, rpctypes.ErrUserEmpty,
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

// IsLeaseGone reports whether a request failed because its lease has ended.
func IsLeaseGone(err error) bool {
	return errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound)
}
