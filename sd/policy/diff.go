package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxTable bounds what Diff spends on finding the lines in common.
const maxTable = 1 << 22

// Diff returns the lines that a change takes away, with "- " before them, and those that it adds,
// with "+ ", in order. Characters that could do harm on a terminal are written as escapes.
// Documents that differ in some thousand lines are told as wholly different between the first and
// the last difference.
func Diff(before, after Document) string {
	a, b := before.texts(), after.texts()
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out strings.Builder
	common := commonLengths(a, b)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0] && common != nil:
			a, b = a[1:], b[1:]
		case len(a) > 0 && (len(b) == 0 || common == nil ||
			common[len(a)-1][len(b)] >= common[len(a)][len(b)-1]):
			fmt.Fprintf(&out, "- %s\n", visible(a[0]))
			a = a[1:]
		default:
			fmt.Fprintf(&out, "+ %s\n", visible(b[0]))
			b = b[1:]
		}
	}
	return out.String()
}

func (d Document) texts() []string {
	texts := make([]string, len(d.lines))
	for i, l := range d.lines {
		texts[i] = l.text
	}
	return texts
}

// commonLengths returns, for each i and j, how many lines the last i of a and the last j of b have
// in common, in the same order. Nil: the table would be too large.
func commonLengths(a, b []string) [][]int32 {
	if (len(a)+1)*(len(b)+1) > maxTable {
		return nil
	}
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
		for j := 1; i > 0 && j <= len(b); j++ {
			if a[len(a)-i] == b[len(b)-j] {
				table[i][j] = table[i-1][j-1] + 1
			} else {
				table[i][j] = max(table[i-1][j], table[i][j-1])
			}
		}
	}
	return table
}

// visible is s with escapes for what is not printable. Tabs stay.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return c != '\t' && !unicode.IsPrint(c) }) {
		return s
	}
	quoted := fmt.Sprintf("%q", s)
	return quoted[1 : len(quoted)-1]
}

// ChangedBy returns who wrote the rules that after has and before has not, each once and sorted.
func ChangedBy(before, after Document) []string {
	old := map[string]bool{}
	for _, r := range before.Rules() {
		old[r.String()] = true
	}
	var names []string
	for _, r := range after.Rules() {
		if r.By != "" && !old[r.String()] {
			names = append(names, r.By)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
