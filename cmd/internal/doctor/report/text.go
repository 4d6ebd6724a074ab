package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
)

const (
	maxAlike  = 5  // findings alike that are shown, unless all are
	minWidth  = 40 // a narrower terminal breaks the lines
	maxWidth  = 100
	severityW = 10 // columns
	checkW    = 11
)

// Text is the report for a person, at most width columns wide (80 if that is not above 0), and 40
// to 100 in any case: by area, errors first. Of many findings alike some are shown, or all of them.
func (r Report) Text(width int, all bool) string {
	if width <= 0 {
		width = 80
	}
	w := &page{width: max(minWidth, min(width, maxWidth))}
	w.write("", r.Registry)
	for _, area := range areas() {
		groups := r.groups(area)
		if len(groups) > 0 {
			w.write("", "")
			w.write("", string(area))
		}
		for _, g := range groups {
			w.group(g, all)
		}
	}
	w.write("", "")
	w.write("", r.summary())
	return w.String()
}

// summary is the last line.
func (r Report) summary() string {
	verdict := "healthy"
	if r.Failed() {
		verdict = "not healthy"
	}
	return fmt.Sprintf("%s: %s, %s; %s, in %v", verdict, shell.Count(r.Count(Error), "error"),
		shell.Count(r.Count(Warning), "warning"), shell.Count(r.Servers,
			"server"), probe.Round(r.Took))
}

// groups are the findings of an area; those that are alike in all but subject and details stand
// together.
func (r Report) groups(area area) (groups [][]Finding) {
	for _, f := range r.Findings {
		alike := func(g []Finding) bool {
			return g[0].Severity == f.Severity && g[0].Check == f.Check &&
				g[0].Advice == f.Advice && f.Advice != ""
		}
		if f.Area != area {
			continue
		}
		if i := slices.IndexFunc(groups, alike); i >= 0 {
			groups[i] = append(groups[i], f)
		} else {
			groups = append(groups, []Finding{f})
		}
	}
	slices.SortStableFunc(groups, func(a, b []Finding) int {
		return cmp.Compare(a[0].Severity.rank(), b[0].Severity.rank())
	})
	return groups
}

// A page is text of a bounded width.
type page struct {
	strings.Builder
	width int
}

// group writes findings that are alike, and their advice once.
func (p *page) group(g []Finding, all bool) {
	shown := g
	if !all {
		shown = g[:min(len(g), maxAlike)]
	}
	head := fmt.Sprintf("  %-*s%-*s", severityW, g[0].Severity, checkW, g[0].Check)
	if len(g[0].Check) >= checkW { // the checks that were left out
		head = fmt.Sprintf("  %-*s", severityW, g[0].Severity)
	}
	if same := samePrefix(shown); same > 1 {
		names := make([]string, same)
		for i, f := range shown[:same] {
			names[i] = f.Subject
		}
		p.write(head, strings.Join(names, ", ")+": "+shown[0].Problem)
		head, shown = strings.Repeat(" ", 2+severityW+checkW), shown[same:]
	}
	for _, f := range shown {
		text := f.Problem
		if f.Subject != "" && (f.Severity != OK || f.Check == "member") {
			text = f.Subject + ": " + text
		}
		if len(f.Check) >= checkW {
			text = f.Check + ": " + text
		}
		p.write(head, text)
		head = strings.Repeat(" ", 2+severityW+checkW)
	}
	if more := len(g) - maxAlike; more > 0 && !all {
		p.write(head, fmt.Sprintf("and %d more (-v shows all)", more))
	}
	if g[0].Advice != "" {
		p.write(strings.Repeat(" ", 2+severityW+checkW), "-> "+g[0].Advice)
	}
}

// samePrefix counts the findings at the beginning that have one problem.
func samePrefix(g []Finding) int {
	for i, f := range g {
		if f.Problem != g[0].Problem {
			return i
		}
	}
	return len(g)
}

// write writes text behind head, in as many lines as it takes.
func (p *page) write(head, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	line, used := head, utf8.RuneCountInString(head)
	begun := false
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if begun && used+1+n > p.width {
			p.WriteString(strings.TrimRight(line, " ") + "\n")
			line, used, begun = indent, len(indent), false
		}
		if begun {
			line, used = line+" ", used+1
		}
		for used+n > p.width && n > p.width-len(indent) { // a word that fits in no line
			runes := []rune(word)
			cut := p.width - used
			p.WriteString(line + string(runes[:cut]) + "\n")
			line, used, word = indent, len(indent), string(runes[cut:])
			n = len(runes) - cut
		}
		line, used, begun = line+word, used+n, true
	}
	p.WriteString(strings.TrimRight(line, " ") + "\n")
}
