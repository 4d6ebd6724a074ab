//go:build unix

package shelltest

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Build makes both programs, with the race detector if the test has it, and returns the directory
// they are in. It takes seconds: a package calls it once.
func Build(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-o", dir + "/"}
	race := debug.BuildSetting{Key: "-race", Value: "true"}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, race) {
		args = append(args, "-race")
	}
	args = append(args, "example.com/daytime/cmd/daytimesvc", "example.com/daytime/cmd/daytimecli")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// A Process is one of the programs, or a script around them, as an operator runs it.
type Process struct {
	Cmd            *exec.Cmd
	Stdout, Stderr *Console      // empty if the command was given others
	ended          chan struct{} // closed when it has
}

// Launch starts the program of that name in dir.
func Launch(t testing.TB, dir, name string, args ...string) *Process {
	t.Helper()
	return LaunchCommand(t, exec.Command(filepath.Join(dir, name), args...))
}

// LaunchCommand starts cmd. At the end of the test it is killed with all its children, if it is
// still there; neither it nor they may have met a race or a panic.
func LaunchCommand(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd, NewConsole(), NewConsole(), make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Stderr
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		cmd.Wait() // its error is the exit code
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
		have := p.Stderr.String()
		if strings.Contains(have, "DATA RACE") || strings.Contains(have, "panic: ") {
			t.Errorf("%s:\n%s", cmd, have)
		}
	})
	return p
}

// Signal sends s to the process alone.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Exit returns the exit code; it is -1 when a signal ended the process.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.Cmd.ProcessState.ExitCode()
	case <-time.After(Bound):
		t.Fatalf("%s: still running; stdout\n%s\nstderr\n%s", p.Cmd, p.Stdout, p.Stderr)
		return -1
	}
}

// Running reports whether the process has not ended after d.
func (p *Process) Running(d time.Duration) bool {
	select {
	case <-p.ended:
		return false
	case <-time.After(d):
		return true
	}
}

// WantExit wants an exit code.
func (p *Process) WantExit(t testing.TB, want int) {
	t.Helper()
	if have := p.Exit(t); want != have {
		t.Errorf("%s: want exit code %d, have %d; stderr\n%s", p.Cmd, want, have, p.Stderr)
	}
}

// SignalAndExit sends s and wants an exit code.
func (p *Process) SignalAndExit(t testing.TB, s syscall.Signal, want int) {
	t.Helper()
	p.Signal(t, s)
	p.WantExit(t, want)
}

// FillPipe writes to the pipe, socket or terminal of that descriptor until it takes no more, and
// leaves it in blocking mode, as a shell would pass it on.
func FillPipe(t testing.TB, fd int) {
	t.Helper()
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 4096)
	for len(chunk) > 0 {
		if _, err := syscall.Write(fd, chunk); errors.Is(err, syscall.EAGAIN) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}
