package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// readerInterval is the time between two looks at whether stdout still has a reader.
const readerInterval = 100 * time.Millisecond

// An output is a stdout whose writes wait for the reader until ctx is done, and stallTimeout more.
// It takes whatever it is given: after the first write that fails it drops the rest, and the work of
// the program, with its verdict, is the same. Why it failed is told once, by Execute.
type output struct {
	ctx context.Context
	w   io.Writer

	mu     sync.Mutex
	err    error         // of the first write that failed; none follows it
	failed chan struct{} // closed when err is set
}

// Write never fails. It hands p to a goroutine, which outlives a write that is given up: it ends
// with the reader, or with the process.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || len(p) == 0 {
		return len(p), nil
	}
	written := make(chan error, 1)
	text := bytes.Clone(p) // a writer must not keep what it is given
	go func() {
		_, err := o.w.Write(text)
		written <- err
	}()
	if o.err = o.await(written); o.err != nil {
		close(o.failed)
	}
	return len(p), nil
}

// await returns the error of a write, or that it is given up.
func (o *output) await(written <-chan error) error {
	select {
	case err := <-written:
		return err
	case <-o.ctx.Done():
	}
	timer := time.NewTimer(stallTimeout)
	defer timer.Stop()
	select {
	case err := <-written:
		return err
	case <-timer.C:
		return ErrStalled
	}
}

// failure is why what was written is not there, or nil. A reader that has gone, or that reads no
// more at the end of the program, is no failure.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil || errors.Is(o.err, syscall.EPIPE) || errors.Is(o.err, ErrStalled) {
		return nil
	}
	return fmt.Errorf("stdout: %w", o.err)
}

// awaitFailure returns why nothing more can be written: the error of a write, or EPIPE when the
// other end of a pipe or a socket was closed, for which no write is needed. It is nil at the end of
// ctx.
func (o *output) awaitFailure(ctx context.Context) error {
	var looks <-chan time.Time
	f := pipeOf(o.w)
	if f != nil {
		ticker := time.NewTicker(readerInterval)
		defer ticker.Stop()
		looks = ticker.C
	}
	for {
		if f != nil && readerGone(f) {
			return syscall.EPIPE
		}
		select {
		case <-looks:
		case <-o.failed:
			return o.err
		case <-ctx.Done():
			return nil
		}
	}
}

// pipeOf is w if that is a pipe or a socket, which alone have a reader that can go, and else nil.
func pipeOf(w io.Writer) *os.File {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return nil
	}
	return f
}
