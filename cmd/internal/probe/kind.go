package probe

import (
	"context"
	"errors"
	"syscall"

	kitlb "github.com/go-kit/kit/sd/lb"

	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
)

// Kind names the reason of a failed request or attempt in a few words; "" if it is none of those
// that are known.
func Kind(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{kitlb.ErrNoEndpoints, "nobody to ask"},
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.EMFILE, "too many open files"},
		{transport.ErrHandshake, "TLS handshake"},
		{syscall.ECONNRESET, "connection reset"},
		{transport.ErrTooLong, "reply too long"},
		{transport.ErrNoReply, "no reply"},
		{transport.ErrDeadline, "timeout"},
		{transport.ErrConnect, "cannot connect"},
		{lb.ErrBudget, "retry budget"},
		{context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return ""
}
