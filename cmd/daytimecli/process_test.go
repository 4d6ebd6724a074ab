//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// The program as a process: terminals, pipes and signals. One build serves all.
func TestProcesses(t *testing.T) {
	dir := shelltest.Build(t)
	for name, test := range map[string]func(t *testing.T, dir string){
		"terminal": testTerminal, "narrow terminal": testNarrowTerminal, "reader gone": testReaderGone,
		"stdout stalls": testStdoutStalls, "stderr stalls": testStderrStalls, "ignored": testIgnoredSignal, "summary": testSummarySignal,
		"progress": testProgress, "descriptors": testFewDescriptors,
		"interrupted read": testInterruptedRead, "interrupted editor": testInterruptedEditor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, dir)
		})
	}
}

// onTerminal starts daytimecli with stderr on a terminal.
func onTerminal(t *testing.T, dir string, columns uint16, args ...string) (*shelltest.Process, *shelltest.Console) {
	t.Helper()
	tty, screen := shelltest.OpenTerminal(t, columns)
	cmd := exec.Command(filepath.Join(dir, "daytimecli"), args...)
	cmd.Stderr = tty
	return shelltest.LaunchCommand(t, cmd), screen
}

// A person is told in a few words, a program in logfmt.
func testTerminal(t *testing.T, dir string) {
	_, empty := shelltest.StartRegistry(t, true)
	dead := transporttest.FreeAddress(t)
	for _, test := range []struct {
		args, want string
		code       int
	}{
		{"-n 1 --retries 0 --sd fixed://" + dead, "error: request failed (seq 1): lb: no attempts left; " + dead + ": connection refused\n", shell.ExitFailure},
		{"list --sd " + empty, "warning: nobody is registered\n", shell.ExitOK},
		{"list -q --sd " + empty, "", shell.ExitOK},
		{"explain 192.0.2.1:1 --sd " + empty + " --sd fixed://192.0.2.1:1", "warning: " + empty + ": 192.0.2.1:1 is not registered\n", shell.ExitOK},
		{"list --log-format logfmt --sd " + empty, "level=warn sd=" + empty + ` msg="nobody is registered"`, shell.ExitOK},
		{"-n many", "error: --count \"many\": want a whole number, 0 or more\nTry 'daytimecli --help'.\n", shell.ExitUsage},
	} {
		p, screen := onTerminal(t, dir, 80, strings.Fields(test.args)...)
		p.WantExit(t, test.code)
		want := strings.ReplaceAll(test.want, "lb: ", "")
		screen.Await(t, want, 1)
		line := strings.HasPrefix(screen.String(), want) || strings.Contains(screen.String(), "\n"+want)
		if !line && !strings.HasPrefix(want, "level") {
			t.Errorf("%s: want the line %q, have %q", test.args, want, screen)
		}
	}
}

// Of many servers ten have a line, and no line is wider than the terminal.
func testNarrowTerminal(t *testing.T, dir string) {
	var addrs []string
	for range 50 {
		addrs = append(addrs, transporttest.Serve(t, transporttest.Reply("noon\r\n")))
	}
	target := "fixed://" + strings.Join(addrs, ",")
	for _, columns := range []int{60, 80, 200} {
		p, screen := onTerminal(t, dir, uint16(columns), "--sd", target, "-n", "100", "-i", "0", "--balance", "roundrobin")
		p.WantExit(t, shell.ExitOK)
		screen.Await(t, "40 more: 80 answers, 0 failures\n", 1)
		_, table, _ := strings.Cut(screen.String(), "\n")
		if want, have := 12, strings.Count(table, "\n"); want != have {
			t.Errorf("want a head, ten servers and the rest, have %d lines:\n%s", have, table)
		}
		shelltest.WantWidth(t, table, columns)
	}
}

// A reader that has gone ends a command that has nothing to write.
func testReaderGone(t *testing.T, dir string) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "192.0.2.1:1")
	for _, command := range []string{"watch", "get -i 1h -n 0 --timeout 1h"} {
		script := fmt.Sprintf("'%s/daytimecli' %s --sd '%s' | head -n 1", dir, command, url)
		if strings.HasPrefix(command, "get") {
			script = fmt.Sprintf("'%s/daytimecli' %s --sd 'fixed://%s' | head -n 1", dir, command, shelltest.Serve(t))
		}
		p := shelltest.LaunchCommand(t, exec.Command("sh", "-c", script))
		p.WantExit(t, shell.ExitOK)
		if have := strings.Count(p.Stdout.String(), "\n"); have != 1 || p.Stderr.String() != "" {
			t.Errorf("%s: want a line and a quiet end, have %q and %q", command, p.Stdout, p.Stderr)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	cmd := exec.Command(filepath.Join(dir, "daytimecli"), "doctor", "--sd", "fixed://"+shelltest.Serve(t))
	cmd.Stdout = w
	shelltest.LaunchCommand(t, cmd).WantExit(t, shell.ExitOK)
}

// full returns a pipe that takes no more, and that nobody reads.
func full(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	shelltest.FillPipe(t, int(w.Fd()))
	return w
}

// Behind a pager that shows its first page, the first signal ends the program.
func testStdoutStalls(t *testing.T, dir string) {
	_, url := shelltest.StartRegistry(t, true)
	addr := register(t, url, 1)[0]
	for _, args := range []string{"-n 0 -i 1ms", "-n 0 -i 1ms -o json", "watch", "list"} {
		cmd := exec.Command(filepath.Join(dir, "daytimecli"), append(strings.Fields(args), "--sd", url)...)
		cmd.Stdout = full(t)
		p := shelltest.LaunchCommand(t, cmd)
		if !p.Running(500 * time.Millisecond) {
			t.Fatalf("%s: want it to wait for its reader; stderr\n%s", args, p.Stderr)
		}
		begin := time.Now()
		p.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
		if have := time.Since(begin); have > 3*time.Second {
			t.Errorf("%s: want an end at once, have %v", args, have)
		}
		if strings.HasPrefix(args, "-n") {
			p.Stderr.Await(t, "answered, 0 failed", 1)
			p.Stderr.Await(t, addr, 1)
		}
	}
}

// Warnings that nobody reads hold nothing up.
func testStderrStalls(t *testing.T, dir string) {
	_, url := shelltest.StartRegistry(t, true)
	addr := register(t, url, 1)[0]
	refused := filepath.Join(t.TempDir(), "list.json")
	if err := os.WriteFile(refused, []byte("noon"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"-n 0 -i 1ms --snapshot " + refused, "watch --snapshot " + refused} {
		cmd := exec.Command(filepath.Join(dir, "daytimecli"), append(strings.Fields(args), "--sd", url)...)
		cmd.Stderr = full(t)
		p := shelltest.LaunchCommand(t, cmd)
		p.Stdout.Await(t, addr, 1)
		p.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
	}
}

// A shell without job control starts programs in the background with SIGINT ignored.
func testIgnoredSignal(t *testing.T, dir string) {
	script := fmt.Sprintf("trap '' INT HUP; exec '%s/daytimecli' -n 0 -i 1ms --sd fixed://%s", dir, shelltest.Serve(t))
	p := shelltest.LaunchCommand(t, exec.Command("sh", "-c", script))
	p.Stdout.Await(t, "\n", 1)
	p.Signal(t, syscall.SIGINT)
	p.Signal(t, syscall.SIGHUP)
	if !p.Running(500 * time.Millisecond) {
		t.Errorf("want the ignored signals ignored, have an end; stderr\n%s", p.Stderr)
		return
	}
	p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
}

// SIGUSR1 asks for the summary so far.
func testSummarySignal(t *testing.T, dir string) {
	p := shelltest.Launch(t, dir, "daytimecli", "-n", "0", "-i", "1ms", "--sd", "fixed://"+shelltest.Serve(t))
	for nth := range 2 {
		p.Stdout.Await(t, "\n", strings.Count(p.Stdout.String(), "\n")+10)
		p.Signal(t, syscall.SIGUSR1)
		p.Stderr.Await(t, "answered, 0 failed", nth+1)
	}
	p.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
	p.Stderr.Await(t, "answered, 0 failed", 3)

	// It is waited for before the first request, too, while the registry has time to answer.
	p = shelltest.Launch(t, dir, "daytimecli", "--sd", "zk://"+transporttest.FreeAddress(t), "--snapshot",
		filepath.Join(t.TempDir(), "list"), "--admin", "127.0.0.1:0", "--log-level", "info", "-n", "0")
	p.Stderr.Await(t, "msg=admin", 1)
	p.Signal(t, syscall.SIGUSR1)
	p.Stderr.Await(t, "0 answered, 0 failed", 1)
	p.SignalAndExit(t, syscall.SIGINT, shell.ExitFailure) // nothing was answered
}

// A load generator on a terminal shows how far it is, in one line that is gone at the end.
func testProgress(t *testing.T, dir string) {
	p, screen := onTerminal(t, dir, 80, "-c", "2", "-i", "1ms", "-d", "1800ms", "--sd", "fixed://"+shelltest.Serve(t))
	p.WantExit(t, shell.ExitOK)
	screen.Await(t, "\x1b[K1s: ", 1)
	screen.Await(t, " a second, 0 failed\x1b[K", 2)
	screen.Await(t, " a second\nlatency p50 ", 1)
}

// Requests that overlap wait for descriptors, and do not fail for want of them.
func testFewDescriptors(t *testing.T, dir string) {
	addr := transporttest.Serve(t, func(conn *net.TCPConn) {
		time.Sleep(200 * time.Millisecond)
		transporttest.Reply("noon\n")(conn)
	})
	script := fmt.Sprintf("ulimit -n 64; exec '%s/daytimecli' -n 200 -i 1ms --sd fixed://%s", dir, addr)
	p := shelltest.LaunchCommand(t, exec.Command("sh", "-c", script))
	p.WantExit(t, shell.ExitOK)
	shelltest.WantText(t, p.Stderr.String(), "200 answered, 0 failed")
}
