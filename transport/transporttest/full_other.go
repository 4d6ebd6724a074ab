//go:build !unix

package transporttest

import "testing"

// Full skips the test: here nobody tells how to fill the queue of a listener.
func Full(tb testing.TB) (addr string) {
	tb.Helper()
	tb.Skip("transporttest: the queue of a listener can be filled on Unix only")
	return ""
}
