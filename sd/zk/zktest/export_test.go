package zktest

import (
	"os"
	"testing"
)

// Need skips a test, or fails it, as Start would: for tests that call Start where the skip would
// not reach the test.
func Need(tb testing.TB) {
	tb.Helper()
	needInstallation(tb, os.Getenv, "/usr/share/java")
}
