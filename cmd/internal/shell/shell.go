// Package shell stands between a command shell and a program: signals, exit codes, flags
// with their environment variables, standard output and error. Both programs have it, so that they
// behave alike.
//
// A main builds a cobra.Command from the flags here (OneOf, Integer, Duration, AddSwitch, those of
// Stdio, or a Value of its own) and passes it to Execute:
//
//	ctx := shell.UntilSignal()
//	stdio := shell.NewStdio(ctx, os.Stdout, os.Stderr, "warn")
//	os.Exit(shell.Execute(ctx, newCommand(stdio), stdio, os.Args[1:], os.LookupEnv))
//
// Nothing here waits for somebody to read stderr, or stdout after the first signal: see Stdio.
//
// It knows nothing of the time or of registries, only that every variable begins with DAYTIME_.
package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-kit/log/level"
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

const (
	// variable is the annotation that names the variable which has set a flag.
	variable = "variable"

	// helpWidth is that of the help text, in columns: of a terminal that nobody has widened.
	helpWidth = 80
)

// ErrReported ends the program with ExitFailure and without a word: everything has been said.
var ErrReported = errors.New("reported already")

// ErrInterrupted is the error of work that the first signal has ended.
var ErrInterrupted = errors.New("interrupted")

// A Lookup finds the value of an environment variable, as os.LookupEnv does.
type Lookup = func(name string) (value string, found bool)

// A usageError is a fault of a flag, or of the command as a whole.
type usageError struct {
	flag    string // its name, or nothing
	err     error
	content bool // of a file: --help is no help
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// UsageError returns an error that ends the program with ExitUsage: err is about the flag of that
// name, or, if the name is empty, about the command as a whole.
func UsageError(flag string, err error) error { return usageError{flag: flag, err: err} }

// FileError is UsageError about a file that is an argument, or about what is in it: the command was
// right, so that nobody is sent to its --help.
func FileError(err error) error { return usageError{err: err, content: true} }

// FlagsOnly is a cobra.PositionalArgs for a command that takes no arguments.
func FlagsOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return UsageError("", fmt.Errorf("argument %q: %s takes flags only", args[0], cmd.Name()))
	}
	return nil
}

// Execute runs root with args, without the name of the program, and returns the exit code. Flags
// that args do not set are set from the environment, in which lookup looks; a variable there that
// is of no flag is a warning. An error is one line on
// stderr, in the form that --log-format asks for. A wrong command is answered with what is wrong,
// not with the help text.
func Execute(ctx context.Context, root *cobra.Command, stdio *Stdio, args []string, lookup Lookup) int {
	defer stdio.Flush()
	root.SetArgs(append([]string{}, args...)) // never nil, for which cobra takes os.Args
	root.SetOut(stdio.Out)
	root.SetErr(stdio.stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	wrapped := fmt.Sprintf("FlagUsagesWrapped %d", helpWidth)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", wrapped))
	root.SetFlagErrorFunc(unknownFlag)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		err := fromEnvironment(cmd.Flags(), lookup)
		if err == nil {
			warnUnknown(root, stdio, stdio.OtherFlags, lookup)
		}
		return err
	}
	root.Version = version()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.Flags().Bool("version", false, "print the version, and end")
	refuseTopics(root)
	if isCompletion(args) { // which runs no PersistentPreRunE
		parseIncomplete(root, args[1:])
		fromEnvironment(root.PersistentFlags(), lookup)
		addCompletions(root)
	}

	cmd, err := root.ExecuteContextC(ctx)
	if failed := stdio.out.failure(); failed != nil {
		level.Error(stdio.Logger()).Log("msg", failed)
		err = cmp.Or(err, ErrReported)
	}
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrReported):
		return ExitFailure
	case errors.As(err, &usage):
		stdio.refuse(root.Name(), origin(cmd.Flags(), usage.flag)+err.Error())
		if !usage.content {
			stdio.Print(fmt.Sprintf("Try '%s --help'.\n", cmd.CommandPath()))
		}
		return ExitUsage
	default:
		level.Error(stdio.Logger()).Log("msg", short(err.Error()))
		return ExitFailure
	}
}

// refuse explains a usageError. It is for a person, whatever the form of the log.
func (s *Stdio) refuse(program, reason string) {
	prefix := program
	if s.words() {
		prefix = "error"
	}
	s.Print(fmt.Sprintf("%s: %s\n", prefix, short(text(reason))))
}

// unknownFlag is flagError for the command line of cmd: it asks whether another flag is meant.
func unknownFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		err = fmt.Errorf("%w%s", err, DidYouMean("--", "--"+unknown.GetSpecifiedName(), known))
	}
	return flagError(err)
}

// flagError turns an error of pflag into a usageError.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err := fmt.Errorf("%q: %w", invalid.GetValue(), invalid.Unwrap())
		return UsageError(invalid.GetFlag().Name, err)
	}
	return UsageError("", err)
}

// fromEnvironment sets the flags that the command line has not: --log-level from DAYTIME_LOG_LEVEL.
// A variable that is empty counts, since some flags may be.
func fromEnvironment(flags *pflag.FlagSet, lookup Lookup) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := variableOf(f.Name)
		text, found := lookup(name)
		if f.Changed || f.Name == "help" || f.Name == "version" || !found || err != nil {
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
