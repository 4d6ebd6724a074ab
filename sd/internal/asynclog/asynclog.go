// Package asynclog is the queue of sd.AsyncLogger: log lines that wait for their reader, and nobody
// for them.
package asynclog

import (
	"slices"
	"sync"
	"time"

	"example.com/daytime/sd/internal/backoff"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

const maxLines = 1024 // that wait

// A Queue hands lines on to a logger, in their order, from one goroutine at a time, which exists
// only while there are lines. Its methods may be called concurrently.
type Queue struct {
	next kitlog.Logger

	mu      sync.Mutex
	lines   [][]any
	idle    chan struct{} // closed when the goroutine has ended; nil while there is none
	dropped int
	logged  int // of those dropped
}

// New returns a Queue of next.
func New(next kitlog.Logger) *Queue { return &Queue{next: next} }

// Add adds a line, or drops it. It does not block.
func (q *Queue) Add(keyvals []any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == maxLines {
		q.dropped++
		return
	}
	q.lines = append(q.lines, slices.Clone(keyvals))
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.write(q.idle)
	}
}

// write hands on what is queued until nothing is. After a line that was written it says what was
// dropped meanwhile.
func (q *Queue) write(idle chan<- struct{}) {
	defer close(idle)
	for {
		line, unlogged, ok := q.take()
		if !ok {
			return
		}
		if unlogged > 0 {
			level.Warn(q.next).Log("msg", "log lines dropped", "lines", unlogged)
		}
		q.next.Log(line...)
	}
}

// take takes the oldest line, and how many dropped ones the log does not tell of yet. When there is
// none the goroutine that asks must end.
func (q *Queue) take() (line []any, unlogged int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == 0 {
		q.lines, q.idle = nil, nil
		return nil, 0, false
	}
	line, q.lines = q.lines[0], q.lines[1:]
	unlogged, q.logged = q.dropped-q.logged, q.dropped
	return line, unlogged, true
}

// Dropped counts the lines that were not written because too many were waiting.
func (q *Queue) Dropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Flush waits until the lines that are queued are written, and for timeout at most.
func (q *Queue) Flush(timeout time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle != nil {
		backoff.WaitFor(idle, timeout)
	}
}
