// Package shell is what stands between a command shell and a program: signals, exit codes, flags with their environment
// variables, the logger. Both programs have it, so that an operator who knows one of them knows the other.
//
// A main builds a cobra.Command from the flags here (OneOf, Integer, Duration, AddSwitch, Logging, or a Value of its own)
// and passes it to Execute:
//
//	os.Exit(shell.Execute(shell.UntilSignal(), root, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
//
// It knows nothing of the time or of registries, only that every variable begins with DAYTIME_.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailure = 1   // the work failed, or some of it
	ExitUsage   = 2   // the command cannot be carried out as it was given
	ExitAborted = 130 // a second signal
)

// variable is the annotation that names the variable which has set a flag.
const variable = "variable"

// echo is how long after a signal another one is the same: timeout(1), for one, signals a program and then its group.
const echo = 100 * time.Millisecond

// ErrReported ends the program with ExitFailure and without a word: everything has been said.
var ErrReported = errors.New("reported already")

// A usageError says what is wrong with a flag, or with the command as a whole.
type usageError struct {
	flag string // its name, or nothing
	err  error
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// UsageError returns an error that ends the program with ExitUsage: err is about the flag of that name, or, if the name is
// empty, about the command as a whole.
func UsageError(flag string, err error) error { return usageError{flag, err} }

// FlagsOnly is a cobra.PositionalArgs for a command that takes no arguments.
func FlagsOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return UsageError("", fmt.Errorf("argument %q: %s takes flags only", args[0], cmd.Name()))
	}
	return nil
}

// UntilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP ends, with the signal as its cause. The second
// one ends the process at once, with ExitAborted. SIGHUP is a terminal that was closed; under nohup it is ignored. A
// reader of stdout or stderr that is gone is an error of the write, and not a signal. It is called once, by main: its
// goroutine is the process's own, and ends with it.
func UntilSignal() context.Context {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		cancel(fmt.Errorf("signal %v", <-signals))
		first := time.Now()
		second := <-signals
		for time.Since(first) < echo {
			second = <-signals
		}
		time.AfterFunc(echo, func() { os.Exit(ExitAborted) }) // also when nobody reads stderr
		fmt.Fprintf(os.Stderr, "signal %v again: ended at once\n", second)
		os.Exit(ExitAborted)
	}()
	return ctx
}

// Execute runs root with args, without the name of the program, and returns the exit code. Flags that args do not set are
// set from the environment, in which lookup looks. A wrong command is answered with one line, not with the help text.
func Execute(ctx context.Context, root *cobra.Command, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
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
		return ExitOK
	case errors.Is(err, ErrReported):
		return ExitFailure
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %s%v\nTry '%s --help'.\n", root.Name(), origin(cmd.Flags(), usage.flag), err, cmd.CommandPath())
		return ExitUsage
	default:
		fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
		return ExitFailure
	}
}

// flagError turns an error of pflag into a usageError.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return UsageError(invalid.GetFlag().Name, fmt.Errorf("%q: %w", invalid.GetValue(), invalid.Unwrap()))
	}
	return UsageError("", err)
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
		f.Annotations = map[string][]string{variable: {name}}
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
	case len(f.Annotations[variable]) > 0:
		return f.Annotations[variable][0] + " "
	default:
		return "--" + name + " "
	}
}
