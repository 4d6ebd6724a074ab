package shell

import (
	"context"
	"fmt"
	"os"
	"os/signal"
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
// A reader of stdout or stderr that is gone is an error of the write, and not a signal. UntilSignal
// is called once, by main: its goroutine is the process's own, and ends with it.
func UntilSignal() context.Context {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a child does not inherit it ignored
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		cancel(fmt.Errorf("signal %v", <-signals))
		first := time.Now()
		second := <-signals
		for time.Since(first) < signalDebounce {
			second = <-signals
		}
		time.AfterFunc(signalDebounce, func() { os.Exit(ExitAborted) }) // if nobody reads stderr
		fmt.Fprintf(os.Stderr, "signal %v again: ended at once\n", second)
		os.Exit(ExitAborted)
	}()
	return ctx
}
