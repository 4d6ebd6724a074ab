package sd

import (
	"slices"
	"sync"
	"time"

	"example.com/daytime/sd/internal/backoff"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

const (
	maxQueuedLines   = 1024
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
type AsyncLogger struct {
	next kitlog.Logger

	mu      sync.Mutex
	lines   [][]any
	idle    chan struct{} // closed when the goroutine has ended; nil while there is none
	dropped int
	told    int // of those dropped
}

// NewAsyncLogger returns a logger that hands its lines on to next, which needs no lock of its own.
// An AsyncLogger is returned as it is. [NewInstancer], [NewRegistrar] and lb.NewPool wrap what they
// are given, so a program wraps its log itself only to share one queue, and to Close it.
func NewAsyncLogger(next kitlog.Logger) *AsyncLogger {
	if l, ok := next.(*AsyncLogger); ok {
		return l
	}
	return &AsyncLogger{next: next}
}

// Log notes a line that is to be written, or drops it. It does not block, and returns nil: an error
// of the log beneath is ignored.
func (l *AsyncLogger) Log(keyvals ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == maxQueuedLines {
		l.dropped++
		return nil
	}
	l.lines = append(l.lines, slices.Clone(keyvals))
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.write(l.idle)
	}
	return nil
}

// write hands on what is queued until nothing is. After a line that was written it says what was
// dropped meanwhile.
func (l *AsyncLogger) write(idle chan<- struct{}) {
	defer close(idle)
	for {
		line, untold, ok := l.take()
		if !ok {
			return
		}
		if untold > 0 {
			level.Warn(l.next).Log("msg", "log lines dropped", "lines", untold)
		}
		l.next.Log(line...)
	}
}

// take takes the oldest line, and how many dropped ones nobody was told of. When there is none the
// goroutine that asks must end.
func (l *AsyncLogger) take() (line []any, untold int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		l.lines, l.idle = nil, nil
		return nil, 0, false
	}
	line, l.lines = l.lines[0], l.lines[1:]
	untold, l.told = l.dropped-l.told, l.dropped
	return line, untold, true
}

// Dropped counts the lines that were not written because too many were waiting.
func (l *AsyncLogger) Dropped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Close returns when all lines are written, and after 1 s at the latest: what a log has not taken
// by then may be lost with the process. It ends nothing. Lines may still be logged, so it does no
// harm when one of several users of a log calls it.
func (l *AsyncLogger) Close() { l.flush(logCloseTimeout) }

// flush waits until the lines that are queued are written, and for timeout at most.
func (l *AsyncLogger) flush(timeout time.Duration) {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle != nil {
		backoff.WaitFor(idle, timeout)
	}
}
