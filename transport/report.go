package transport

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-kit/kit/transport"
)

const (
	// maxReports is how many errors may wait for the error handler. More are counted, not kept.
	maxReports = 64

	// reportTimeout is how long a Shutdown that has nothing else to wait for waits for the error
	// handler.
	reportTimeout = time.Second
)

// A reporter calls the error handler on a goroutine of its own, which exists while there is
// something to report: a handler that blocks, such as one that writes to a full pipe, holds up no
// accept, no reply and no shutdown.
type reporter struct {
	handler transport.ErrorHandler

	mu      sync.Mutex // guards what follows
	queue   []report
	dropped int
	idle    chan struct{} // closed when the goroutine ends; nil without one
}

// A report is one call of the error handler.
type report struct {
	ctx context.Context
	err error
}

// add has the handler called with err. It does not block.
func (r *reporter) add(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= maxReports {
		r.dropped++
		return
	}
	r.queue = append(r.queue, report{ctx, err})
	if r.idle == nil {
		r.idle = make(chan struct{})
		go r.run()
	}
}

// run is the goroutine. The handler's own panic is dropped: there is no other handler.
func (r *reporter) run() {
	for next, ok := r.next(); ok; next, ok = r.next() {
		func() {
			defer func() { _ = recover() }()
			r.handler.Handle(next.ctx, next.err)
		}()
	}
}

// next takes the oldest report from the queue, or ends the goroutine.
func (r *reporter) next() (next report, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.queue) > 0:
		next = r.queue[0]
		r.queue = r.queue[1:]
		return next, true
	case r.dropped > 0:
		err := fmt.Errorf("transport: %d errors were not reported: too many at a time", r.dropped)
		r.dropped = 0
		return report{context.Background(), err}, true
	default:
		close(r.idle)
		r.idle = nil
		return report{}, false
	}
}

// wait returns when there is nothing left to report, when ctx ends, or after reportTimeout.
func (r *reporter) wait(ctx context.Context) {
	r.mu.Lock()
	idle := r.idle
	r.mu.Unlock()
	if idle == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
