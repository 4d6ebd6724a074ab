package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport/transporttest"
)

// A broken is a stdout that cannot be written to.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestBrokenStdout(t *testing.T) {
	url := "fixed://" + shelltest.Serve(t)
	for _, args := range [][]string{{"get", "-n", "0", "-i", "0"}, {"list"}, {"watch"}} {
		stderr := shelltest.NewConsole()
		args = append(args, "--sd", url)
		if have := run(t.Context(), args, shelltest.NoVariables, broken{syscall.EPIPE}, stderr); have != shell.ExitOK || stderr.String() != "" {
			t.Errorf("%q: want a quiet end when the reader is gone, have %d, %q", args, have, stderr)
		}
		if have := run(t.Context(), args, shelltest.NoVariables, broken{syscall.ENOSPC}, stderr); have != shell.ExitFailure {
			t.Errorf("%q: want %d when the disk is full, have %d", args, shell.ExitFailure, have)
		}
		shelltest.WantText(t, stderr.String(), `level=error msg="stdout: no space left on device"`)
	}
}

// A policy that is written is told to be, where stdout does not take what that did.
func TestWrittenWithoutStdout(t *testing.T) {
	f := startFleet(t, 4)
	for _, test := range []struct {
		args    string
		written bool
	}{
		{"drain 192.0.2.1 --by me", true},
		{"drain 192.0.2.2 --dry-run", false},
		{"drain 192.0.2.1 --by me", false}, // nothing to change
	} {
		stderr := shelltest.NewConsole()
		args := append(strings.Fields(test.args), "--sd", f.url)
		have := run(t.Context(), args, shelltest.NoVariables, broken{syscall.ENOSPC}, stderr)
		if have != shell.ExitFailure {
			t.Errorf("%s: want exit code %d, have %d", args, shell.ExitFailure, have)
		}
		if told := strings.Contains(stderr.String(), "the policy is written"); told != test.written {
			t.Errorf("%s: want it told to be written: %v, have %s", args, test.written, stderr)
		}
	}
	f.wantPolicy(t, "drain 192.0.2.1 by=me")
}

// A reader that has gone hides no failure, and is none itself.
func TestVerdictWithoutReader(t *testing.T) {
	f := startFleet(t, 4)
	f.write(t, policy.Header+"\ndrain 192.0.2.1\ndrain 192.0.2.1:8897\n")
	wrong := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(wrong, []byte(policy.Header+"\ndrian *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := " --sd zk://" + transporttest.FreeAddress(t) + "/go_servers --timeout 300ms"
	for _, test := range []struct {
		args string
		code int
		want string // on stderr
	}{
		{"undrain 192.0.2.1:8897 --sd " + f.url, shell.ExitFailure, "is still drained, by line 2"},
		{"drain 192.0.2.2 --sd " + f.url + nobody, shell.ExitFailure, "connection refused"},
		{"list --min 9 --sd " + f.url, shell.ExitFailure, "4 registered, want 9 at least"},
		{"policy check " + wrong + " --sd " + f.url, shell.ExitUsage, "1 line wrong"},
		{"explain 192.0.2.1:8897 --sd " + f.url + nobody, shell.ExitFailure, "connection refused"},
		{"completion bash", shell.ExitOK, ""},
		{"completion zsh", shell.ExitOK, ""},
		{"completion fish", shell.ExitOK, ""},
		{"doctor --timeout 300ms --sd fixed://" + shelltest.Serve(t), shell.ExitOK, ""},
		{"policy get --sd " + f.url, shell.ExitOK, ""},
		{"--help", shell.ExitOK, ""},
	} {
		stderr := shelltest.NewConsole()
		have := run(t.Context(), strings.Fields(test.args), shelltest.NoVariables,
			broken{syscall.EPIPE}, stderr)
		if have != test.code {
			t.Errorf("%s: want exit code %d, have %d, %s", test.args, test.code, have, stderr)
		}
		shelltest.WantText(t, stderr.String(), test.want)
		if strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%s: want no word of the reader, have %s", test.args, stderr)
		}
	}
}
