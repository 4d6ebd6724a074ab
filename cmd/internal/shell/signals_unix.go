//go:build unix

package shell

import (
	"os"
	"os/signal"
	"syscall"
)

// NotifySummary returns a channel that receives when SIGUSR1 asks for a summary, until stop is called.
func NotifySummary() (requests <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	return signals, func() { signal.Stop(signals) }
}
