package lb

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
)

// verdict says how a call goes on after its n-th failed attempt.
func (c *retryConfig) verdict(n int, err error, idempotent bool) Verdict {
	if c.classify != nil {
		if v := c.classify(n, err); v != Undecided {
			return v
		}
	}
	if unsent(err) || idempotent && mayAnswerElsewhere(err) {
		return Elsewhere
	}
	return Permanent
}

// unsent reports whether err says for certain that no server can have acted on the request. The
// endpoint's own word goes first: an error in the chain with a method Unsent() bool. Without one, a
// connection that did not come about says it. A bare EHOSTUNREACH counts as that, but not one that
// a read of an established connection returned. Of several causes, such as those of an endpoint
// that has tried two servers, one has to say it, and none may be what a request that was sent ends
// with.
func unsent(err error) bool {
	established := false
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		switch cause := cause.(type) {
		case interface{ Unsent() bool }:
			return cause.Unsent()
		case interface{ Unwrap() []error }:
			causes := cause.Unwrap()
			return slices.ContainsFunc(causes, unsent) && !slices.ContainsFunc(causes, mayBeSent)
		case *net.DNSError:
			return true
		case *net.OpError:
			if established = true; cause.Op == "dial" { // net/http has it in one of "proxyconnect"
				return true
			}
		}
	}
	return errors.Is(err, syscall.ECONNREFUSED) ||
		!established && isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH)
}

// mayBeSent reports whether err is what a request that was sent may end with.
func mayBeSent(err error) bool {
	var told interface{ Unsent() bool }
	return !unsent(err) && (errors.As(err, &told) || mayAnswerElsewhere(err))
}

// mayAnswerElsewhere reports whether err is the way in which a server that is ill fails. Any other
// error is an answer, and another server would give the same.
func mayAnswerElsewhere(err error) bool {
	return isUnreachable(err) || isTimeout(err) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}

// isTimeout reports whether err, or an error in its chain, says that it is a timeout. The method
// Timeout of a net.Error is enough: a type of the endpoint's own need not have Temporary, which is
// deprecated.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
