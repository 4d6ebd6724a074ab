// Package signal is the wake-up of a goroutine: one slot, which anybody fills without blocking.
package signal

// A Signal says that there is something to do, and not what. Setting it again before it is
// received changes nothing, so a receiver must look at everything that may be new. One goroutine
// receives: <-s. A nil Signal is never received, and must not be set.
type Signal chan struct{}

// New returns a Signal that is not set.
func New() Signal { return make(Signal, 1) }

// Set sets the signal. It does not block. The receiver sees what the caller did before it.
func (s Signal) Set() {
	select {
	case s <- struct{}{}:
	default:
	}
}
