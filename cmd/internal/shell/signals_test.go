package shell

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
)

// While a child has the terminal SIGINT is the child's, and SIGTERM is not; then it is ours again.
func TestLeaveInterrupts(t *testing.T) {
	left := new(atomic.Bool)
	signals := make(chan os.Signal, 3)
	restore := LeaveInterrupts(context.WithValue(t.Context(), leftKey{}, left))
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, os.Interrupt} {
		signals <- s
	}
	if have := next(signals, left); have != syscall.SIGTERM {
		t.Errorf("want %v, have %v", syscall.SIGTERM, have)
	}
	restore()
	if have := next(signals, left); have != os.Interrupt {
		t.Errorf("want %v, have %v", os.Interrupt, have)
	}
}
