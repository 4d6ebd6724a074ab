package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// A reply is the reader of a client's decoder: a connection that the end of a context ends, and a
// quietReader.
type reply struct {
	conn  net.Conn
	ctx   context.Context
	timed bool // there is a deadline of readQuiet
	begun bool // a byte has come
}

var _ quietReader = (*reply)(nil)

// interruptOn makes the end of ctx end whatever conn is waiting for, until stop is called. A
// deadline in the past wakes a Read and a Write.
func interruptOn(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
}

// Read waits for a byte until the context ends.
func (r *reply) Read(p []byte) (int, error) {
	if r.timed {
		r.timed = false
		r.setReadDeadline(time.Time{})
	}
	n, err := r.conn.Read(p)
	r.begun = r.begun || n > 0
	return n, err
}

// readQuiet waits for quietTimeout at most.
func (r *reply) readQuiet(p []byte) (int, error) {
	r.timed = true
	r.setReadDeadline(time.Now().Add(quietTimeout))
	n, err := r.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && r.ctx.Err() == nil {
		err = errQuiet
	}
	return n, err
}

// setReadDeadline sets a deadline that does not undo the one of interruptOn. If the context ends
// before the check, the check sees it; if it ends later, interruptOn sets its deadline later.
func (r *reply) setReadDeadline(at time.Time) {
	r.conn.SetReadDeadline(at)
	if r.ctx.Err() != nil {
		r.conn.SetReadDeadline(time.Unix(1, 0))
	}
}
