package lb

import "context"

// A Trace tells what became of one call through Retry. Read it after the call has returned.
type Trace struct {
	Instance string // that answered; empty if none did
	Attempts int    // hedges included
}

type traceKey struct{}

// WithTrace returns a context for one call, and the Trace which that call fills in.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := new(Trace)
	return context.WithValue(ctx, traceKey{}, t), t
}

// report fills in the Trace of ctx, if there is one.
func (c *call) report(ctx context.Context) {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		*t = Trace{Instance: c.answeredBy, Attempts: c.begun}
	}
}
