package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// listed returns once daytimecli list prints just want.
func listed(t testing.TB, dir, url string, want ...string) {
	t.Helper()
	slices.Sort(want)
	shelltest.Eventually(t, func() error {
		p := shelltest.Launch(t, dir, "daytimecli", "list", "--sd", url)
		code := p.Exit(t)
		if have := strings.Fields(p.Stdout.String()); code != shell.ExitOK || !slices.Equal(want, have) {
			return fmt.Errorf("want %q, have %q, exit code %d, stderr\n%s", want, have, code, p.Stderr)
		}
		return nil
	})
}
