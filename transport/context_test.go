package transport

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestContextKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &requestContext{Context: t.Context(), deadline: time.Now().Add(time.Second)}
		defer ctx.end()
		if have, ok := ctx.Deadline(); !ok || have != ctx.deadline {
			t.Errorf("want %v, have %v", ctx.deadline, have)
		}
		if err := ctx.Err(); err != nil {
			t.Errorf("want no error yet, have %v", err)
		}
		begin := time.Now()
		<-ctx.Done()
		if have := time.Since(begin); have != time.Second || ctx.Err() != context.DeadlineExceeded {
			t.Errorf("want a deadline after 1s, have %v, %v", have, ctx.Err())
		}
	})
}

func TestRequestContextEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		ctx := &requestContext{Context: parent, deadline: time.Now().Add(time.Second)}
		defer ctx.end()
		before := runtime.NumGoroutine()
		child, stop := context.WithCancel(ctx)
		defer stop()
		if have := runtime.NumGoroutine(); have > before { // others may end
			t.Errorf("want no goroutine for a derived context, have %d", have-before)
		}
		cancel()
		<-child.Done()
		if have := ctx.Err(); have != context.Canceled {
			t.Errorf("want %v, have %v", context.Canceled, have)
		}
	})
}

// A context that is kept beyond its request is cancelled, whether or not it was waited for before.
func TestRequestContextEndsWithTheRequest(t *testing.T) {
	for _, armed := range []bool{true, false} {
		ctx := &requestContext{Context: t.Context(), deadline: time.Now().Add(time.Hour)}
		if armed {
			ctx.Done()
		}
		ctx.end()
		<-ctx.Done()
		if have := ctx.Err(); have != context.Canceled {
			t.Errorf("armed %v: want %v, have %v", armed, context.Canceled, have)
		}
	}
}

func TestRequestContextIsCheapUntilWaitedFor(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	have := testing.AllocsPerRun(100, func() {
		ctx := &requestContext{Context: parent, deadline: time.Now()}
		ctx.Value(0)
		ctx.end()
	})
	if have > 1 {
		t.Errorf("want one allocation, have %v", have)
	}
}
