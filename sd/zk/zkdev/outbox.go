package zkdev

import (
	"sync"
	"time"
)

// A packet is a frame that must not leave before its time.
type packet struct {
	frame []byte
	due   time.Time
}

// An outbox is the queue of one connection, between the handlers that send and the goroutine that
// writes. Its bound is maxQueued.
type outbox struct {
	mu       sync.Mutex
	queue    []packet
	bytes    int // not yet written
	finished bool
	wake     chan struct{} // holds a token when the queue may have something new
}

// put never waits, so it may be called under the server's lock.
func (o *outbox) put(p packet) {
	o.mu.Lock()
	o.queue = append(o.queue, p)
	o.bytes += len(p.frame)
	o.mu.Unlock()
	o.signal()
}

// sent notes that a packet was written.
func (o *outbox) sent(p packet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= len(p.frame)
}

// size is how many bytes are not yet written.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// finish says that nothing more will come.
func (o *outbox) finish() {
	o.mu.Lock()
	o.finished = true
	o.mu.Unlock()
	o.signal()
}

// ending says whether nothing more will come.
func (o *outbox) ending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.finished
}

// signal wakes the writer: it leaves a token, unless there is one already.
func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take empties the queue. The last one comes with finished true.
func (o *outbox) take() (queue []packet, finished bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue, o.queue = o.queue, nil
	return queue, o.finished
}

// write sends what is queued, each packet at its time, and closes the connection after the last
// one.
func (c *conn) write() {
	defer c.close()
	for {
		queue, finished := c.out.take()
		for _, p := range queue {
			if !c.waitUntil(p.due) {
				return
			}
			if c.out.ending() {
				c.nc.SetWriteDeadline(time.Now().Add(farewell))
			}
			if _, err := c.nc.Write(p.frame); err != nil {
				return
			}
			c.out.sent(p)
		}
		if finished {
			if c.server.lockAwake(c) {
				c.server.detach(c)
				c.server.mu.Unlock()
			}
			return
		}
		select {
		case <-c.out.wake:
		case <-c.done:
			return
		}
	}
}

// waitUntil waits until due and until the server is not frozen. It returns false when the
// connection ended meanwhile.
func (c *conn) waitUntil(due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.done:
			return false
		}
	}
	if !c.server.lockAwake(c) {
		return false
	}
	c.server.mu.Unlock()
	return true
}
