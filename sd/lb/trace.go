package lb

import (
	"context"
	"time"
)

// A Trace tells the outcome of one call through Retry. Read it after the call has returned.
type Trace struct {
	Instance string // that answered; empty if none did
	Attempts int    // hedges included
}

// A Try is one attempt of a call through Retry.
type Try struct {
	Instance string
	Err      error // nil if it answered; one that still ran when the call ended was cancelled
	Took     time.Duration
}

type (
	traceKey struct{}
	triesKey struct{}
)

// WithTrace returns a context for one call, and the Trace which that call fills in.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := new(Trace)
	return context.WithValue(ctx, traceKey{}, t), t
}

// WithTries returns a context for one call, and the list of its attempts, in the order in which
// they began, which that call fills in. Read it after the call has returned.
func WithTries(ctx context.Context) (context.Context, *[]Try) {
	t := new([]Try)
	return context.WithValue(ctx, triesKey{}, t), t
}

// A recorder fills in the Trace and the tries of a call, as far as the caller wants them.
type recorder struct {
	trace *Trace // either is nil if it is not wanted
	tries *[]Try
	begun []time.Time // the tries
}

func newRecorder(ctx context.Context) (r recorder) {
	r.trace, _ = ctx.Value(traceKey{}).(*Trace)
	r.tries, _ = ctx.Value(triesKey{}).(*[]Try)
	if r.trace != nil {
		*r.trace = Trace{}
	}
	if r.tries != nil {
		*r.tries = nil
	}
	return r
}

// hide returns the context of the attempts, in which a call that an endpoint makes through another
// Retry finds neither: they are of one call.
func (r *recorder) hide(ctx context.Context) context.Context {
	if r.trace != nil {
		ctx = context.WithValue(ctx, traceKey{}, nil)
	}
	if r.tries != nil {
		ctx = context.WithValue(ctx, triesKey{}, nil)
	}
	return ctx
}

// begins takes down that an attempt begins, and returns its index.
func (r *recorder) begins(m *Member) (try int) {
	if r.trace != nil {
		r.trace.Attempts++
	}
	if r.tries == nil {
		return 0
	}
	*r.tries = append(*r.tries, Try{Instance: m.instance, Err: errOutrun})
	r.begun = append(r.begun, time.Now())
	return len(r.begun) - 1
}

// ends takes down how an attempt ended.
func (r *recorder) ends(a attempt, err error) {
	if r.trace != nil && err == nil {
		r.trace.Instance = a.member.instance
	}
	if r.tries != nil {
		(*r.tries)[a.try].Err = err
		(*r.tries)[a.try].Took = time.Since(r.begun[a.try])
	}
}

// close takes down the attempts that still run.
func (r *recorder) close() {
	for i, begun := range r.begun {
		if try := &(*r.tries)[i]; try.Err == errOutrun {
			try.Took = time.Since(begun)
		}
	}
}
