package main

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs args as a shell would.
func start(t testing.TB, args ...string) *shelltest.Program { return shelltest.Start(t, run, args...) }

// try runs args to their end, and wants an exit code.
func try(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return start(t, args...).Finish(t, want)
}
