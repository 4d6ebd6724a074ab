package main

import (
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// A command that a signal ends while it waits for a registry says that, and blames no registry.
func TestInterruptedWhileItWaits(t *testing.T) {
	dead := "zk://" + transporttest.FreeAddress(t)
	for _, args := range []string{"list", "list -o wide", "drain *", "policy get", "explain 192.0.2.1:80", "export haproxy", "weight * 5"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(strings.Fields(args), "--sd", dead, "--timeout", "1m")...)
			p.Stderr.Await(t, "", 0)
			time.AfterFunc(300*time.Millisecond, func() { p.Interrupt(nil) })
			_, stderr := p.Finish(t, shell.ExitFailure)
			shelltest.WantText(t, stderr, "interrupted")
			if strings.Contains(stderr, "refused") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("want a word of the interruption alone, have %s", stderr)
			}
		})
	}
}
