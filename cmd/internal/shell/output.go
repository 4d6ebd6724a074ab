package shell

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// readerInterval is the time between two looks at whether stdout still has a reader.
const readerInterval = 100 * time.Millisecond

// An output is a stdout whose writes wait for the reader until ctx is done, and stallTimeout more.
type output struct {
	ctx context.Context
	w   io.Writer

	mu      sync.Mutex
	stalled bool // a write was given up, so that no other may follow
}

// Write hands p to a goroutine, which outlives a write that is given up: it ends with the reader,
// or with the process.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stalled {
		return 0, ErrStalled
	}
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	p = bytes.Clone(p) // a writer must not keep what it is given
	go func() {
		n, err := o.w.Write(p)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		return r.n, r.err
	case <-o.ctx.Done():
	}
	timer := time.NewTimer(stallTimeout)
	defer timer.Stop()
	select {
	case r := <-written:
		return r.n, r.err
	case <-timer.C:
		o.stalled = true
		return 0, ErrStalled
	}
}

// awaitReaderGone returns true when w is a pipe or a socket whose other end was closed, and false
// when ctx is done. For any other w it returns false at once.
func awaitReaderGone(ctx context.Context, w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return false
	}
	ticker := time.NewTicker(readerInterval)
	defer ticker.Stop()
	for !readerGone(f) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
