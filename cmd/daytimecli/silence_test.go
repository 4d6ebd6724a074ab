package main

import (
	"path/filepath"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// A path that was misspelt is told by a command that only waits, and where nothing fails.
func TestMissingDirectoryIsTold(t *testing.T) {
	_, url := shelltest.StartRegistry(t, false)
	p := start(t, "export", "prometheus", "--watch", "-f", filepath.Join(t.TempDir(), "servers.json"), "--sd", url)
	p.Stderr.Await(t, "there is no directory", 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}
