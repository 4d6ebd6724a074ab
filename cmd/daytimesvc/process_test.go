package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// build makes both programs, with the race detector if this test has it, and returns the directory they are in.
func build(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-o", dir + "/"}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".", "../daytimecli")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// A process is one of the programs, as an operator runs it.
type process struct {
	cmd            *exec.Cmd
	Stdout, Stderr *shelltest.Console
	ended          chan struct{} // closed when it has
}

// launch starts one of the programs.
func launch(t testing.TB, dir, name string, args ...string) *process {
	t.Helper()
	return begin(t, exec.Command(filepath.Join(dir, name), args...))
}

// begin starts cmd. At the end of the test it is killed with all its children, if it is still there.
func begin(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd, shelltest.NewConsole(), shelltest.NewConsole(), make(chan struct{})}
	if cmd.Stdout = p.Stdout; cmd.Stderr == nil {
		cmd.Stderr = p.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		cmd.Wait() // the exit code says what there is to say
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
		if have := p.Stderr.String(); strings.Contains(have, "DATA RACE") || strings.Contains(have, "panic: ") {
			t.Errorf("%s:\n%s", cmd, have)
		}
	})
	return p
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit returns the exit code; it is -1 when a signal ended the process.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	late := time.NewTimer(shelltest.Bound)
	defer late.Stop()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-late.C:
		t.Fatalf("still running; stderr\n%s", p.Stderr)
		return -1
	}
}

// wantExit sends a signal and wants an exit code.
func (p *process) wantExit(t testing.TB, s syscall.Signal, want int) {
	t.Helper()
	p.signal(t, s)
	if have := p.exit(t); want != have {
		t.Errorf("after %v: want exit code %d, have %d; stderr\n%s", s, want, have, p.Stderr)
	}
}

// listed returns once daytimecli list prints just want.
func listed(t testing.TB, dir, url string, want ...string) {
	t.Helper()
	slices.Sort(want)
	poll(t, func() error {
		p := launch(t, dir, "daytimecli", "list", "--sd", url)
		code := p.exit(t)
		if have := strings.Fields(p.Stdout.String()); code != shell.ExitOK || !slices.Equal(want, have) {
			return fmt.Errorf("want %q, have %q, exit code %d, stderr\n%s", want, have, code, p.Stderr)
		}
		return nil
	})
}
