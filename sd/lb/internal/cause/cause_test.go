package cause

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A told says by itself whether it was sent.
type told bool

func (t told) Error() string { return fmt.Sprintf("unsent: %v", bool(t)) }
func (t told) Unsent() bool  { return bool(t) }

func dial(cause error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: cause} }

// Of an error with several causes one has to say that the request was not sent, and none may be
// what one that was sent ends with.
func TestUnsent(t *testing.T) {
	read := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		want   bool
		causes []error
	}{
		{true, []error{syscall.ECONNREFUSED}},
		{true, []error{dial(context.DeadlineExceeded)}},
		{true, []error{&net.OpError{Op: "proxyconnect", Err: dial(os.ErrDeadlineExceeded)}}},
		{true, []error{&net.DNSError{}}},
		{true, []error{errors.New("own words"), dial(syscall.EHOSTUNREACH)}},
		{true, []error{syscall.ECONNREFUSED, told(true)}},
		{false, []error{read}},
		{false, []error{&net.OpError{Op: "read", Err: syscall.EHOSTUNREACH}}},
		{false, []error{errors.New("own words")}},
		{false, []error{syscall.ECONNREFUSED, syscall.ECONNRESET}},
		{false, []error{syscall.ECONNRESET, dial(syscall.ECONNREFUSED)}},
		{false, []error{dial(syscall.ETIMEDOUT), told(false)}},
		{false, []error{syscall.ECONNREFUSED, io.EOF}},
		{false, []error{syscall.ECONNREFUSED, read}},
		{false, []error{syscall.ECONNREFUSED, context.DeadlineExceeded}},
	} {
		err := c.causes[0]
		if len(c.causes) > 1 {
			err = errors.Join(c.causes...)
		}
		for _, err := range []error{err, fmt.Errorf("call: %w", err)} {
			if have := Unsent(err); c.want != have {
				t.Errorf("%q: want %v, have %v", err, c.want, have)
			}
		}
	}
}
