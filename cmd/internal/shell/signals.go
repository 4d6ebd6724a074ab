package shell

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// signalDebounce is how long after a signal another one is the same: timeout(1), for one, signals a
// program and then its group.
const signalDebounce = 100 * time.Millisecond

// UntilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP ends, with the signal as
// its cause. The second one ends the process at once, with ExitAborted. SIGHUP is a terminal that
// was closed. SIGINT and SIGHUP stay ignored if they are ignored at the start, as a shell without
// job control does for a program in the background (POSIX, "Signals and Error Handling"), and
// nohup(1).
//
// LeaveInterrupts excepts SIGINT for a time. A reader of stdout or stderr that is gone is an error
// of the write, and not a signal. UntilSignal is called once, by main: its goroutine is the
// process's own, and ends with it.
func UntilSignal() context.Context {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a child does not inherit it ignored
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	left := new(atomic.Bool)
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), leftKey{}, left))
	go func() {
		cancel(fmt.Errorf("signal %v", next(signals, left)))
		first := time.Now()
		second := next(signals, left)
		for time.Since(first) < signalDebounce {
			second = next(signals, left)
		}
		time.AfterFunc(signalDebounce, func() { os.Exit(ExitAborted) }) // if nobody reads stderr
		fmt.Fprintf(os.Stderr, "signal %v again: ended at once\n", second)
		os.Exit(ExitAborted)
	}()
	return ctx
}

// A leftKey is the key, in the context of UntilSignal, of whether SIGINT is left to a child.
type leftKey struct{}

// next is the next signal that is not left to a child.
func next(signals <-chan os.Signal, left *atomic.Bool) os.Signal {
	for {
		if s := <-signals; s != os.Interrupt || !left.Load() {
			return s
		}
	}
}

// LeaveInterrupts leaves SIGINT and SIGQUIT to a child that has the terminal, such as an editor,
// until restore is called: the keyboard sends them to both. They are received and dropped, not
// ignored, which the child would inherit. ctx comes from UntilSignal.
func LeaveInterrupts(ctx context.Context) (restore func()) {
	left, ok := ctx.Value(leftKey{}).(*atomic.Bool)
	if !ok {
		left = new(atomic.Bool)
	}
	left.Store(true)
	quits := make(chan os.Signal, 1)
	signal.Notify(quits, syscall.SIGQUIT)
	return func() {
		signal.Stop(quits)
		left.Store(false)
	}
}
