package sd

import (
	"time"

	"example.com/daytime/sd/internal/asynclog"
	kitlog "github.com/go-kit/log"
)

const (
	logCloseTimeout  = time.Second
	lastLinesTimeout = 100 * time.Millisecond // for a part of the program that ends
)

var _ kitlog.Logger = (*AsyncLogger)(nil)

// An AsyncLogger is a logger that never blocks. A log whose reader has stalled, such as a pipe that
// is full, holds up nobody who logs: the lines wait, 1024 at most, and those beyond it are dropped
// and counted. Its methods may be called concurrently.
//
// One goroutine at a time writes the lines, in their order. It exists only while there are lines to
// write, so an AsyncLogger that is not needed any more may be forgotten.
//
// A line is written later than it is logged. A value must not change after it was passed to Log,
// and what kitlog.With binds beneath an AsyncLogger is evaluated at the write; above it, at the
// call. So a time stamp belongs above: kitlog.With(sd.NewAsyncLogger(l), "ts", ...).
type AsyncLogger struct{ queue *asynclog.Queue }

// NewAsyncLogger returns a logger that hands its lines on to next, which needs no lock of its own.
// An AsyncLogger is returned as it is. [NewInstancer], [NewRegistrar] and lb.NewPool wrap what they
// are given, so a program wraps its log itself only to share one queue, and to Close it.
func NewAsyncLogger(next kitlog.Logger) *AsyncLogger {
	if l, ok := next.(*AsyncLogger); ok {
		return l
	}
	return &AsyncLogger{asynclog.New(next)}
}

// Log notes a line that is to be written, or drops it. It does not block, and returns nil: an error
// of the log beneath is ignored.
func (l *AsyncLogger) Log(keyvals ...any) error {
	l.queue.Add(keyvals)
	return nil
}

// Dropped counts the lines that were not written because too many were waiting.
func (l *AsyncLogger) Dropped() int { return l.queue.Dropped() }

// Close returns when all lines are written, and after 1 s at the latest: what a log has not taken
// by then may be lost with the process. It ends nothing. Lines may still be logged, so it does no
// harm when one of several users of a log calls it.
func (l *AsyncLogger) Close() { l.queue.Flush(logCloseTimeout) }

// flush waits until the lines that are queued are written, and for timeout at most.
func (l *AsyncLogger) flush(timeout time.Duration) { l.queue.Flush(timeout) }
