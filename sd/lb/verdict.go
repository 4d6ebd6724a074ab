package lb

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
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
// a read of an established connection returned.
func unsent(err error) bool {
	var told interface{ Unsent() bool }
	if errors.As(err, &told) {
		return told.Unsent()
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	var op *net.OpError
	for chain := err; errors.As(chain, &op); chain = op.Err {
		if op.Op == "dial" { // net/http has it in one of "proxyconnect"
			return true
		}
	}
	if op != nil {
		return false
	}
	var lookup *net.DNSError
	return errors.As(err, &lookup) || isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH)
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
