package main

// This file is what stands between a shell and a program: signals, exit codes, flags with their environment variables,
// the logger. It is the same in daytimesvc and daytimecli, which a test checks, and too small for a package.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1   // the work failed, or some of it
	exitUsage   = 2   // the command cannot be carried out as it was given
	exitAborted = 130 // a second signal
)

// errReported ends the program with exitFailure and without a word: everything has been said.
var errReported = errors.New("reported already")

// A usageError says what is wrong with a flag, or with the command as a whole.
type usageError struct {
	flag string // its name, or nothing
	err  error
}

func (e usageError) Error() string { return e.err.Error() }

// untilSignal returns a context that the first SIGINT or SIGTERM ends, with the signal as its cause. The second one ends
// the process at once. A reader of stdout or stderr that is gone is an error of the write, and not a signal. The
// goroutine is the process's own, and ends with it.
func untilSignal() context.Context {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		cancel(fmt.Errorf("signal %v", <-signals))
		<-signals
		os.Exit(exitAborted)
	}()
	return ctx
}

// execute runs root and returns the exit code. A wrong command is answered with one line, not with the help text.
func execute(ctx context.Context, root *cobra.Command, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	root.SetArgs(append([]string{}, args...)) // never nil, for which cobra takes os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", "FlagUsagesWrapped 100"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags(), lookup) }

	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailure
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %s%v\nTry '%s --help'.\n", root.Name(), origin(cmd.Flags(), usage.flag), err, cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
		return exitFailure
	}
}

// flagError turns an error of pflag into a usageError.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return usageError{invalid.GetFlag().Name, fmt.Errorf("%q: %w", invalid.GetValue(), invalid.Unwrap())}
	}
	return usageError{err: err}
}

// fromEnvironment sets the flags that the command line has not: --log-level from DAYTIME_LOG_LEVEL. A variable that is
// empty counts, since some flags may be.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := "DAYTIME_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		text, found := lookup(name)
		if f.Changed || f.Name == "help" || !found || err != nil {
			return
		}
		f.Annotations = map[string][]string{"variable": {name}}
		if bad := flags.Set(f.Name, text); bad != nil {
			err = flagError(bad)
		}
	})
	return err
}

// origin says where the value of a flag came from, in front of what is wrong with it.
func origin(flags *pflag.FlagSet, name string) string {
	f := flags.Lookup(name)
	switch {
	case f == nil:
		return ""
	case f.Annotations != nil:
		return f.Annotations["variable"][0] + " "
	default:
		return "--" + name + " "
	}
}

// A setting is a flag's value, read by parse, whose errors say what is allowed.
type setting[T any] struct {
	value *T
	kind  string // as the help shows it
	parse func(string) (T, error)
}

func (s setting[T]) String() string { return fmt.Sprint(*s.value) }
func (s setting[T]) Type() string   { return s.kind }

func (s setting[T]) Set(text string) error {
	value, err := s.parse(text)
	if err == nil {
		*s.value = value
	}
	return err
}

func oneOf(value *string, words ...string) pflag.Value {
	return setting[string]{value, "name", func(text string) (string, error) {
		if !slices.Contains(words, text) {
			return "", fmt.Errorf("want %s", strings.Join(words, ", "))
		}
		return text, nil
	}}
}

func integer(value *int, least int) pflag.Value {
	return setting[int]{value, "number", func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			return 0, fmt.Errorf("want a whole number, %d or more", least)
		}
		return n, nil
	}}
}

func duration(value *time.Duration, least time.Duration) pflag.Value {
	return setting[time.Duration]{value, "duration", func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d < least {
			return 0, fmt.Errorf("want a duration such as 500ms or 2s, %v or more", least)
		}
		return d, nil
	}}
}

// addSwitch adds a flag that needs no value.
func addSwitch(flags *pflag.FlagSet, value *bool, name, usage string) {
	flags.Var(setting[bool]{value, "bool", func(text string) (bool, error) {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return false, errors.New("want true or false")
		}
		return on, nil
	}}, name, usage)
	flags.Lookup(name).NoOptDefVal = "true"
}

// logging is what a logger is made from.
type logging struct{ format, level string }

func (l *logging) addFlags(flags *pflag.FlagSet) {
	flags.Var(oneOf(&l.format, "logfmt", "json"), "log-format", "form of the log on stderr: logfmt or json")
	flags.Var(oneOf(&l.level, "debug", "info", "warn", "error"), "log-level", "least level that is logged: debug, info, warn or error")
}

func (l logging) newLogger(w io.Writer) kitlog.Logger {
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(w))
	if l.format == "json" {
		logger = kitlog.NewJSONLogger(kitlog.NewSyncWriter(w))
	}
	logger = level.NewFilter(logger, level.Allow(level.ParseDefault(l.level, level.DebugValue())))
	return kitlog.With(logger, "ts", kitlog.DefaultTimestampUTC)
}
