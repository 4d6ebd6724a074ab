package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestShellIsTheSameInBothPrograms(t *testing.T) {
	here, err := os.ReadFile("shell.go")
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadFile("../daytimecli/shell.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(here, there) {
		t.Error("shell.go here and in daytimecli differ: change both")
	}
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, exitOK, ""},
		{errReported, exitFailure, ""},
		{errors.New("boom"), exitFailure, "p: boom\n"},
		{usageError{err: errors.New("boom")}, exitUsage, "p: boom\nTry 'p --help'.\n"},
		{usageError{"wait", errors.New("boom")}, exitUsage, "p: --wait boom\nTry 'p --help'.\n"},
	} {
		cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return test.err }}
		cmd.Flags().Duration("wait", 0, "")
		var stderr strings.Builder
		if have := execute(t.Context(), cmd, nil, noVariables, io.Discard, &stderr); test.code != have || test.want != stderr.String() {
			t.Errorf("%v: want %d and %q, have %d and %q", test.err, test.code, test.want, have, stderr.String())
		}
	}
}

func TestEnvironment(t *testing.T) {
	variables := map[string]string{"DAYTIME_FROM_THERE": "5s", "DAYTIME_BOTH": "6s", "DAYTIME_HELP": "true", "DAYTIME_TEXT": ""}
	lookup := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	values := map[string]*time.Duration{"from-there": new(time.Duration), "both": new(time.Duration), "neither": new(time.Duration)}
	text := "default"
	cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return nil }}
	for name, value := range values {
		cmd.Flags().Var(duration(value, 0), name, "")
	}
	cmd.Flags().StringVar(&text, "text", text, "")
	if code := execute(t.Context(), cmd, []string{"--both", "7s"}, lookup, io.Discard, io.Discard); code != exitOK {
		t.Fatalf("want exit code 0, have %d", code)
	}
	for name, want := range map[string]time.Duration{"from-there": 5 * time.Second, "both": 7 * time.Second, "neither": 0} {
		if have := *values[name]; want != have {
			t.Errorf("%s: want %v, have %v", name, want, have)
		}
	}
	if text != "" {
		t.Errorf("want the empty text of the variable, have %q", text)
	}
}

func TestOrigin(t *testing.T) {
	flags := pflag.NewFlagSet("p", pflag.ContinueOnError)
	flags.Int("count", 0, "")
	if want, have := "--count ", origin(flags, "count"); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
	err := fromEnvironment(flags, func(name string) (string, bool) { return "5", name == "DAYTIME_COUNT" })
	if want, have := "DAYTIME_COUNT ", origin(flags, "count"); want != have || err != nil {
		t.Errorf("want %q, have %q, %v", want, have, err)
	}
	if have := origin(flags, ""); have != "" {
		t.Errorf("want nothing, have %q", have)
	}
}

func TestLogger(t *testing.T) {
	for _, test := range []struct{ format, level, want string }{
		{"logfmt", "debug", "level=debug ts="},
		{"logfmt", "info", "level=info ts="},
		{"logfmt", "error", "level=error ts="},
		{"json", "warn", `{"level":"warn","msg":"d","ts":"`},
	} {
		var out strings.Builder
		logger := logging{test.format, test.level}.newLogger(&out)
		level.Debug(logger).Log("msg", "a")
		level.Info(logger).Log("msg", "b")
		level.Warn(logger).Log("msg", "d")
		level.Error(logger).Log("msg", "e")
		if have := out.String(); !strings.HasPrefix(have, test.want) || !strings.Contains(have, "Z") {
			t.Errorf("%s, %s: want %s and a UTC time, have %s", test.format, test.level, test.want, have)
		}
	}
}

// A help text on a stdout that is closed is no reason to panic.
func TestHelpWithoutReader(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if have := run(context.Background(), []string{"--help"}, noVariables, w, io.Discard); have != exitOK {
		t.Errorf("want exit code 0, have %d", have)
	}
}
