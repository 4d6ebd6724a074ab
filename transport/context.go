package transport

import (
	"context"
	"sync"
	"time"
)

// A requestContext is a context with a deadline that costs a timer only when somebody waits for it;
// most endpoints never do.
type requestContext struct {
	context.Context // the server's
	deadline        time.Time

	mu     sync.Mutex // guards what follows
	timed  context.Context
	cancel context.CancelFunc
	over   bool
}

// Deadline returns the deadline of the connection.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done arms the timer.
func (c *requestContext) Done() <-chan struct{} { return c.arm().Done() }

// Err arms the timer too, so that it agrees with Done.
func (c *requestContext) Err() error { return c.arm().Err() }

// Value asks the timed context, once there is one: that is how package context recognises a parent
// of its own kind, for which a derived context needs no goroutine.
func (c *requestContext) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.Context.Value(key)
}

// arm returns the context that is waited for, and makes it at the first call.
func (c *requestContext) arm() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.over {
			c.cancel()
		}
	}
	return c.timed
}

// end cancels the context, also for a later Done or Err.
func (c *requestContext) end() {
	c.mu.Lock()
	c.over = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
