package sdtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
)

// A Watching is a Watch under way in a goroutine of its own, and what it has told.
type Watching struct {
	*Recorder
	tb   testing.TB
	call *call
}

// Watch starts a Watch on b. The end of the test cancels it and waits for it.
func Watch(tb testing.TB, b sd.Backend, want sd.Want) *Watching {
	c, r := watchWanting(context.Background(), b, want)
	tb.Cleanup(func() {
		c.cancel()
		<-c.done
	})
	return &Watching{r, tb, c}
}

// Shows returns an error unless the Watch goes on, has told just of want, and of all as it must.
func (w *Watching) Shows(want ...string) error {
	select {
	case <-w.call.done:
		return fmt.Errorf("watched: want %q, have the end of the watch: %w", want, w.call.err)
	default:
		return errors.Join(w.Is(want...), w.Err())
	}
}

// End waits for the Watch to return by itself, at most 10 s, and returns its error.
func (w *Watching) End() error {
	w.tb.Helper()
	select {
	case <-w.call.done:
	case <-time.After(10 * time.Second):
		set, known := w.Set()
		w.tb.Fatalf("want the end of the watch, have it go on with %q (known: %t)", set, known)
	}
	return w.call.err
}

// Stop cancels the Watch. It must return the context's error within a second.
func (w *Watching) Stop() {
	w.tb.Helper()
	begun := time.Now()
	w.call.cancel()
	err := w.End()
	if took := time.Since(begun); !errors.Is(err, context.Canceled) || took > time.Second {
		w.tb.Errorf("watch: want %v at once, have %v after %v", context.Canceled, err, took)
	}
}
