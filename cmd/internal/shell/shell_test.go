package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noVariables is an empty environment.
func noVariables(string) (string, bool) { return "", false }

// execute runs cmd in an empty environment.
func execute(t *testing.T, cmd *cobra.Command, args ...string) (code int, stderr string) {
	t.Helper()
	var text strings.Builder
	code = Execute(t.Context(), cmd, NewStdio(t.Context(), io.Discard, &text, "info"), args, noVariables)
	return code, text.String()
}

// A flag that is wrong is answered with one line, wherever its value came from.
func ExampleExecute() {
	tea := func(variable string, args ...string) {
		var wait time.Duration
		command := &cobra.Command{Use: "tea", Args: FlagsOnly, RunE: func(*cobra.Command, []string) error {
			fmt.Println("ready in", wait)
			return nil
		}}
		command.Flags().Var(Duration(&wait, time.Second), "wait", "how long it draws")
		lookup := func(name string) (string, bool) { return variable, name == "DAYTIME_WAIT" }
		ctx := context.Background()
		stdio := NewStdio(ctx, os.Stdout, os.Stdout, "info")
		fmt.Println("exit code", Execute(ctx, command, stdio, args, lookup))
	}
	tea("3m")
	tea("3m", "--wait", "1ms")
	tea("long")
	// Output:
	// ready in 3m0s
	// exit code 0
	// tea: --wait "1ms": want a duration such as 500ms or 2s, 1s or more
	// Try 'tea --help'.
	// exit code 2
	// tea: DAYTIME_WAIT "long": want a duration such as 500ms or 2s, 1s or more
	// Try 'tea --help'.
	// exit code 2
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, ExitOK, ""},
		{ErrReported, ExitFailure, ""},
		{errors.New("boom"), ExitFailure, "level=error msg=boom\n"},
		{UsageError("", errors.New("boom")), ExitUsage, "p: boom\nTry 'p --help'.\n"},
		{FileError(errors.New("boom")), ExitUsage, "p: boom\n"},
		{UsageError("wait", errors.New("boom")), ExitUsage, "p: --wait boom\nTry 'p --help'.\n"},
		{fmt.Errorf("deep: %w", UsageError("wait", errors.New("boom"))), ExitUsage, "p: --wait deep: boom\nTry 'p --help'.\n"},
	} {
		cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return test.err }}
		cmd.Flags().Duration("wait", 0, "")
		code, stderr := execute(t, cmd)
		if stderr = regexp.MustCompile(`^ts=\S+ `).ReplaceAllString(stderr, ""); test.code != code || test.want != stderr {
			t.Errorf("%v: want %d and %q, have %d and %q", test.err, test.code, test.want, code, stderr)
		}
	}
}

// What was given is not repeated whatever its length, and what is wrong with it is told.
func TestLongErrors(t *testing.T) {
	word := strings.Repeat("ä", 70_000)
	sentence := strings.Repeat("rack 7 ", 10_000)
	path := strings.Repeat("p", 999)
	for _, test := range []struct {
		err       error
		want, end string
		most      int // characters
	}{
		{errors.New(path + ": no such file"), path, ": no such file", 1100},
		{fmt.Errorf("%q: boom", word), `"äää`, `äää\": boom`, 1100},
		{fmt.Errorf("%q: boom", sentence), `"rack 7 `, `rack 7 \": boom`, 5100},
		{UsageError("", fmt.Errorf("%q %q: want %q: boom", word, word, word)), "want", `": boom`, 3200},
		{UsageError("", fmt.Errorf("%s: boom", sentence)), "p: rack 7 ", "rack 7 : boom", 5100},
	} {
		_, stderr := execute(t, &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return test.err }})
		line, _, _ := strings.Cut(stderr, "\n")
		if n := utf8.RuneCountInString(line); n > test.most || !strings.Contains(line, test.want) ||
			!strings.HasSuffix(strings.TrimSuffix(line, `"`), test.end) {
			t.Errorf("want %d characters at most, with %q and an end %q, have %d: %.1100s", test.most, test.want, test.end, n, line)
		}
	}
}

func TestUsageErrorKeepsItsCause(t *testing.T) {
	if !errors.Is(UsageError("sd", os.ErrNotExist), os.ErrNotExist) {
		t.Error("want the cause found")
	}
}

func TestFlagsOnly(t *testing.T) {
	cmd := &cobra.Command{Use: "p"}
	if err := FlagsOnly(cmd, nil); err != nil {
		t.Errorf("want nil, have %v", err)
	}
	if want, have := `argument "x": p takes flags only`, fmt.Sprint(FlagsOnly(cmd, []string{"x", "y"})); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestEnvironment(t *testing.T) {
	variables := map[string]string{"DAYTIME_FROM_THERE": "5s", "DAYTIME_BOTH": "6s", "DAYTIME_HELP": "true", "DAYTIME_VERSION": "3", "DAYTIME_TEXT": ""}
	lookup := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	values := map[string]*time.Duration{"from-there": new(time.Duration), "both": new(time.Duration), "neither": new(time.Duration)}
	text := "default"
	cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return nil }}
	for name, value := range values {
		cmd.Flags().Var(Duration(value, 0), name, "")
	}
	cmd.Flags().StringVar(&text, "text", text, "")
	stdio := NewStdio(t.Context(), io.Discard, io.Discard, "info")
	if code := Execute(t.Context(), cmd, stdio, []string{"--both", "7s"}, lookup); code != ExitOK {
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

func TestValues(t *testing.T) {
	var word string
	var number int
	var wait time.Duration
	var on bool
	flags := pflag.NewFlagSet("p", pflag.ContinueOnError)
	flags.Var(OneOf(&word, "a", "b"), "word", "")
	flags.Var(Integer(&number, -1), "number", "")
	flags.Var(Duration(&wait, time.Millisecond), "wait", "")
	AddSwitch(flags, &on, "on", "", "")
	if err := flags.Parse([]string{"--word", "b", "--number", "-1", "--wait", "2s", "--on"}); err != nil {
		t.Fatal(err)
	}
	if word != "b" || number != -1 || wait != 2*time.Second || !on {
		t.Errorf("want b, -1, 2s and true, have %q, %d, %v and %v", word, number, wait, on)
	}
	for _, arg := range []string{"--word=c", "--word=", "--number=-2", "--number=1.5", "--wait=0s", "--wait=2", "--on=perhaps"} {
		if err := flags.Parse([]string{arg}); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%s: want an error that says what is allowed, have %v", arg, err)
		}
	}
	for arg, want := range map[string]string{
		"--wait=99999999h":  "too long: want 2562047h at most",
		"--wait=-99999999h": "want a duration such as 500ms or 2s, 1ms or more",
		"--wait=99999999":   "want a duration such as 500ms or 2s, 1ms or more",
	} {
		if err := flags.Parse([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %s, have %v", arg, want, err)
		}
	}
	if word != "b" || number != -1 || wait != 2*time.Second || !on {
		t.Errorf("want the values left alone by what is wrong, have %q, %d, %v and %v", word, number, wait, on)
	}
}

// Several errors are one line, and each is found.
func TestInOneLine(t *testing.T) {
	one, two := errors.New("one"), UsageError("sd", errors.New("two"))
	for _, test := range []struct {
		errs []error
		want string
	}{{nil, ""}, {[]error{nil, one, nil}, "one"}, {[]error{one, nil, two}, "one; two"}} {
		err := InOneLine(test.errs...)
		have := ErrorText(err)
		if test.want != have {
			t.Errorf("want %q, have %q", test.want, have)
		}
		for _, want := range test.errs {
			if want != nil && !errors.Is(err, want) {
				t.Errorf("want %v in it, have %v", want, err)
			}
		}
	}
}
