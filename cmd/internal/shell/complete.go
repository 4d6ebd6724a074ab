package shell

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// WantArg is a cobra.PositionalArgs for a command that takes one of words.
func WantArg(args []string, noun string, words ...string) error {
	if len(args) == 1 && slices.Contains(words, args[0]) {
		return nil
	}
	list := strings.Join(words, ", ")
	if len(args) == 0 {
		return UsageError("", fmt.Errorf("no %s: want %s", noun, list))
	}
	return UsageError("", fmt.Errorf("%s %q: want %s", noun, strings.Join(args, " "), list))
}

// addCompletions has the values of flags completed, in cmd and the commands below it: words for a
// OneOf, files for a name that is a FILE, nothing for numbers and the like. A flag that has its own
// function keeps that.
func addCompletions(cmd *cobra.Command) {
	add := func(f *pflag.Flag) {
		words, directive := []string(nil), cobra.ShellCompDirectiveNoFileComp
		if v, ok := f.Value.(interface{ Words() []string }); ok {
			words = v.Words()
		}
		kind, usage := pflag.UnquoteUsage(f)
		if f.Usage = usage; kind == "FILE" { // the script shows the usage
			directive = cobra.ShellCompDirectiveDefault
		}
		complete := cobra.FixedCompletions(words, directive)
		cmd.RegisterFlagCompletionFunc(f.Name, complete) // fails for a flag that has one
	}
	cmd.PersistentFlags().VisitAll(add)
	cmd.LocalNonPersistentFlags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
}

// parseIncomplete sets the flags of a line that is being typed, so that the environment sets others
// only. What is wrong with it does not matter, and its last word is not typed to its end.
func parseIncomplete(root *cobra.Command, line []string) {
	if len(line) > 0 {
		cmd, rest, _ := root.Find(line[:len(line)-1])
		cmd.ParseFlags(rest)
	}
}

// refuseTopics has the help command refuse what is no command, nor an argument of one.
func refuseTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd() // of a root with commands
	help, _, err := root.Find([]string{"help"})
	if err != nil || help == root {
		return
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		cmd, rest, err := root.Find(args)
		if err == nil && len(rest) > 0 {
			err = cmd.ValidateArgs(rest)
		}
		return err
	}
}

// isCompletion reports whether a completion script has called the program.
func isCompletion(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}
