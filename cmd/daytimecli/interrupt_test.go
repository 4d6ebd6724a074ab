//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// A signal is obeyed while a file, or stdin, keeps a command waiting.
func testInterruptedRead(t *testing.T, dir string) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"apply", "-"}, {"check", "-"}, {"check", fifo}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		cmd := exec.Command(filepath.Join(dir, "daytimecli"), append([]string{"policy"}, args...)...)
		cmd.Stdin = r
		p := shelltest.LaunchCommand(t, cmd)
		if !p.Running(500 * time.Millisecond) {
			t.Fatalf("%q: want it to wait, have an end; stderr\n%s", args, p.Stderr)
		}
		p.Signal(t, syscall.SIGTERM)
		p.Stderr.Await(t, "interrupted", 1)
		p.WantExit(t, shell.ExitFailure)
	}
}

// Ctrl-C and Ctrl-\ inside the editor are the editor's, however often.
func testInterruptedEditor(t *testing.T, dir string) {
	f := startFleet(t, 4)
	editor := filepath.Join(t.TempDir(), "editor")
	script := "#!/bin/sh\ntrap 'echo left >&2' INT QUIT\necho open >&2\n" +
		"until test -e " + editor + ".quit; do sleep 0.05; done\necho 'drain 192.0.2.1' >>\"$1\"\n"
	if err := os.WriteFile(editor, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "daytimecli"), "policy", "edit", "--sd", f.url)
	cmd.Env = append(os.Environ(), "EDITOR="+editor, "TMPDIR="+t.TempDir())
	p := shelltest.LaunchCommand(t, cmd)
	p.Stderr.Await(t, "open\n", 1)
	for nth, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGQUIT} {
		if err := syscall.Kill(-cmd.Process.Pid, s); err != nil {
			t.Fatal(err)
		}
		p.Stderr.Await(t, "left\n", nth+1)
		time.Sleep(200 * time.Millisecond) // sooner it would pass for the same signal
	}
	if err := os.WriteFile(editor+".quit", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.WantExit(t, shell.ExitOK)
	f.wantPolicy(t, "drain 192.0.2.1")
}
