// Package cause says what the error of an endpoint tells: whether the request was sent, and whether
// the server is ill, or this side. All functions are pure.
package cause

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
)

// Unsent reports whether err says for certain that no server can have acted on the request. The
// endpoint's own word goes first: an error in the chain with a method Unsent() bool. Without one, a
// connection that did not come about says it. A bare EHOSTUNREACH counts as that, but not one that
// a read of an established connection returned. Of several causes, such as those of an endpoint
// that has tried two servers, one has to say it, and none may be what a request that was sent ends
// with.
func Unsent(err error) bool {
	established := false
	for chain := err; chain != nil; chain = errors.Unwrap(chain) {
		switch e := chain.(type) {
		case interface{ Unsent() bool }:
			return e.Unsent()
		case interface{ Unwrap() []error }:
			causes := e.Unwrap()
			return slices.ContainsFunc(causes, Unsent) && !slices.ContainsFunc(causes, mayBeSent)
		case *net.DNSError:
			return true
		case *net.OpError:
			if established = true; e.Op == "dial" { // net/http has it in one of "proxyconnect"
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
	return !Unsent(err) && (errors.As(err, &told) || IsIllness(err))
}

// IsFree reports whether err says that the request put no load on any server: the connection was
// refused, or no way leads to the address.
func IsFree(err error) bool {
	return Unsent(err) && (errors.Is(err, syscall.ECONNREFUSED) || IsUnroutable(err))
}

// IsIllness reports whether err is the way in which a server that is ill fails. Any other error is
// an answer, and another server would give the same.
func IsIllness(err error) bool {
	return IsUnreachable(err) || IsTimeout(err) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}

// IsTimeout reports whether err, or an error in its chain, says that it is a timeout. The method
// Timeout of a net.Error is enough: a type of the endpoint's own need not have Temporary, which is
// deprecated.
func IsTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// IsUnreachable reports whether err says that the instance, or the way to it, is at fault.
func IsUnreachable(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isAny(err,
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.EHOSTUNREACH,
		syscall.EHOSTDOWN, syscall.ETIMEDOUT)
}

// IsLocal reports whether err says that no connection came about for want of something on this
// side, whatever the address.
func IsLocal(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EADDRINUSE, syscall.ENETDOWN)
}

// MayBeLocal reports whether err is of a server that cannot be reached, or of this side, which can
// reach nobody: no way leads there, or its name is not known.
func MayBeLocal(err error) bool {
	var lookup *net.DNSError
	return !IsUnreachable(err) && (IsUnroutable(err) || errors.As(err, &lookup))
}

// IsUnroutable reports whether err says that no way leads from here to the address. EADDRNOTAVAIL
// does where this side has no address of its family, or no port left for it.
func IsUnroutable(err error) bool {
	return isAny(err, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL,
		syscall.EACCES, syscall.EPERM, syscall.EAFNOSUPPORT, syscall.EINVAL)
}

// isAny reports whether there is one of errnos in err's chain, wherever it branches.
func isAny(err error, errnos ...syscall.Errno) bool {
	return slices.ContainsFunc(errnos, func(e syscall.Errno) bool { return errors.Is(err, e) })
}
