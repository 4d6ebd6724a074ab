package pages

import (
	"fmt"
	"regexp"
	"strings"
)

// A habit is a pattern of what differs from run to run, and what stands for it in a comparison.
type habit struct {
	pattern *regexp.Regexp
	stands  string
}

// habits are applied in their order: a time holds what looks like a duration.
func habits() []habit {
	time := `\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?`
	zone := `(Z|[-+]\d{2}:\d{2}| [-+]\d{4} \w+)?`
	return []habit{
		{regexp.MustCompile(time + zone), "TIME"},
		{regexp.MustCompile(`[-+±]?\b\d+(\.\d+)?(ns|µs|ms|s|m|h)(\d+(\.\d+)?(m|s))*\b`),
			"DURATION"},
		{regexp.MustCompile(`\b\d+(\.\d+)? a second\b`), "RATE"},
		{regexp.MustCompile(`[ \t]+`), " "},
		{regexp.MustCompile(`-{3,}`), "---"},
	}
}

// Match compares the output that a page shows with the one that came, but for times, durations,
// rates and the width of blanks. In want, … stands for any text within a line, and for any lines
// where it is alone on one. The error shows both.
func Match(want, have string) error {
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for line := range strings.Lines(want) {
		line = normal(line)
		if line == "…" {
			pattern.WriteString(`(.*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	pattern.WriteString(`$`)
	var text strings.Builder
	for line := range strings.Lines(have) {
		text.WriteString(normal(line) + "\n")
	}
	if !regexp.MustCompile(pattern.String()).MatchString(text.String()) {
		return fmt.Errorf("pages: want the output\n%s\nhave\n%s", want, have)
	}
	return nil
}

// normal is a line without its end, and with names in the place of what differs from run to run.
func normal(line string) string {
	line = strings.TrimRight(line, "\r\n\t ")
	for _, h := range habits() {
		line = h.pattern.ReplaceAllString(line, h.stands)
	}
	return line
}
