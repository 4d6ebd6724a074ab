package shell

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// prefix begins every variable.
const prefix = "DAYTIME_"

// variableOf is the name of the variable that sets a flag: DAYTIME_LOG_LEVEL for log-level.
func variableOf(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// warnUnknown warns of variables that set no flag of any command, most likely by a mistake. The
// environment is often one for several programs, so others are the flags of those beside root.
func warnUnknown(root *cobra.Command, stdio *Stdio, others []string, lookup Lookup) {
	known := variables(root, others)
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		_, found := lookup(name)
		if !found || !strings.HasPrefix(name, prefix) || slices.Contains(known, name) {
			continue
		}
		level.Warn(stdio.Logger()).Log("msg",
			fmt.Sprintf("the variable %.80s sets nothing%s", name, DidYouMean(prefix, name, known)))
	}
}

// DidYouMean ends a message about a name that is none of those that are known, all of which begin
// with prefix: it asks for the nearest, if so few letters differ that it may be meant.
func DidYouMean(prefix, name string, known []string) string {
	if len(known) == 0 || len(name) > 80 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int {
		return distance(name, a) - distance(name, b)
	})
	if distance(name, nearest) > max(1, (len(name)-len(prefix))/3) {
		return ""
	}
	return "; did you mean " + nearest + "?"
}

// variables are those of all flags, sorted.
func variables(root *cobra.Command, others []string) (names []string) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		add := func(f *pflag.Flag) { names = append(names, variableOf(f.Name)) }
		cmd.Flags().VisitAll(add)
		cmd.PersistentFlags().VisitAll(add)
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit(root)
	for _, flag := range others {
		names = append(names, variableOf(flag))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// distance is how many letters are to be inserted, left out, replaced or exchanged with the next,
// to make b of a (the optimal string alignment distance).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
