package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// Header is the first line of every policy.
	Header = "#daytime-policy 1"
	// MaxSize is how many bytes a document has at most.
	MaxSize = 64 << 10
)

// ErrUnreadable matches the error of [Parse] for what is no policy as a whole.
var ErrUnreadable = errors.New("policy: unreadable")

// A Problem is something that an operator should know of a line.
type Problem struct {
	Kind   Kind
	Line   int // from 1; 0 for a line that is in no document
	Column int // in characters, from 1
	Cause  string
}

// A Kind says what kind of [Problem] it is.
type Kind int

// The kinds of problems.
const (
	Wrong     Kind = iota // the line is left out
	Expired               // the line matches nothing any more
	Unmatched             // no instance of the fleet matches the line
)

// Error tells the place and the cause.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("policy: column %d: %s", p.Column, p.Cause)
	}
	return fmt.Sprintf("policy: line %d, column %d: %s", p.Line, p.Column, p.Cause)
}

// A line of a document.
type line struct {
	text, end string // end: "\n", "\r\n" or, in the last line, ""
	rule      *Rule  // nil: a blank line, a comment, or a wrong line; its Line is not set
	fault     *fault // of a wrong line
}

// A Document is a policy as it is written: every line of it, also comments and what is wrong. It
// is a value that is never changed: editing returns another one. The zero value is empty, and
// an empty one is no policy.
type Document struct{ lines []line }

// Parse reads a document. Empty data, and nothing else, is no policy. Wrong lines are kept in the
// document, do nothing, and are told by [Document.Problems].
//
// An error matches [ErrUnreadable], and [*Problem] with the place: data is longer than [MaxSize],
// is not UTF-8, or its first line is not [Header]. A byte order mark before the header makes a
// document unreadable, because other programs that look for the header would not find it.
func Parse(data string) (Document, error) { return parse(data, 0) }

// parse is Parse of what may be so many bytes longer.
func parse(data string, spare int) (Document, error) {
	if data == "" {
		return Document{}, nil
	}
	if p := refuseDocument(data, spare); p != nil {
		return Document{}, &unreadable{p}
	}
	d := Document{make([]line, 0, strings.Count(data, "\n")+1)}
	for text := range strings.Lines(data) {
		d.lines = append(d.lines, parseLine(text))
	}
	return d, nil
}

// unreadable is the error of Parse.
type unreadable struct{ problem *Problem }

func (u *unreadable) Unwrap() []error { return []error{ErrUnreadable, u.problem} }

func (u *unreadable) Error() string {
	p := u.problem
	return fmt.Sprintf("%v: line %d, column %d: %s", ErrUnreadable, p.Line, p.Column, p.Cause)
}

// refuseDocument says why data is no policy, or nothing.
func refuseDocument(data string, spare int) *Problem {
	if len(data) > MaxSize+spare {
		start := strings.LastIndexByte(data[:MaxSize], '\n') + 1
		return &Problem{Line: 1 + strings.Count(data[:MaxSize], "\n"),
			Column: column(data[start:], MaxSize-start),
			Cause:  fmt.Sprintf("%d bytes; want at most %d", len(data), MaxSize)}
	}
	first, _, _ := strings.Cut(data, "\n")
	first = strings.TrimSuffix(first, "\r")
	if strings.HasPrefix(first, "\ufeff") {
		return &Problem{Line: 1, Column: 1, Cause: "a byte order mark; want UTF-8 without one"}
	}
	if at := firstInvalid(data); at < len(data) {
		start := strings.LastIndexByte(data[:at], '\n') + 1
		return &Problem{Line: 1 + strings.Count(data[:at], "\n"),
			Column: column(data[start:], at-start), Cause: fmt.Sprintf("byte 0x%02x is no UTF-8",
				data[at])}
	}
	if first != Header {
		return &Problem{Line: 1, Column: 1, Cause: fmt.Sprintf("%.64q; want %q", first, Header)}
	}
	return nil
}

// firstInvalid is the place of the first byte that is no UTF-8, or the length of s.
func firstInvalid(s string) int {
	for i, c := range s {
		if c == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(s)
}

// parseLine reads a line with its end.
func parseLine(s string) line {
	l := line{text: s}
	if text, ok := strings.CutSuffix(s, "\n"); ok {
		l.text, l.end = text, "\n"
	}
	if text, ok := strings.CutSuffix(l.text, "\r"); ok {
		l.text, l.end = text, "\r"+l.end
	}
	if content := strings.TrimLeft(l.text, " \t"); content == "" || content[0] == '#' {
		return l
	}
	rule, f := parseRule(l.text)
	if f != nil {
		l.fault = f
	} else {
		l.rule = &rule
	}
	return l
}

// column is the place of a byte of a line, counted in characters from 1.
func column(text string, offset int) int { return 1 + utf8.RuneCountInString(text[:offset]) }

// problem is f in the line of this number.
func (l line) problem(f *fault, number int) *Problem {
	return &Problem{Wrong, number, column(l.text, f.offset), f.cause}
}

// IsEmpty reports whether d is no policy at all.
func (d Document) IsEmpty() bool { return len(d.lines) == 0 }

// String is the document as it is written: what was parsed comes out byte for byte.
func (d Document) String() string {
	var b strings.Builder
	for _, l := range d.lines {
		b.WriteString(l.text)
		b.WriteString(l.end)
	}
	return b.String()
}

// Rules are the lines that are not wrong in themselves, also the expired ones.
func (d Document) Rules() []Rule {
	var rules []Rule
	for i, l := range d.lines {
		if l.rule != nil {
			r := *l.rule
			r.Line = i + 1
			rules = append(rules, r)
		}
	}
	return rules
}

// Problems are the wrong lines, in their order. Shares depend on now: one that would make the
// sum of those that have not expired more than 100 % is wrong.
func (d Document) Problems(now time.Time) []*Problem {
	_, problems := d.inForce(now)
	return problems
}

// inForce returns the rules that hold at now, and what is wrong with other lines.
//
// Shares are added up from the top, and what has no room is left out alone. A later share of the
// same selector counts in the place of the earlier one, to which nobody belongs any more. Expired
// ones do not count: otherwise a share could not follow an expired one for the day that it stays.
func (d Document) inForce(now time.Time) (rules []Rule, problems []*Problem) {
	rules = make([]Rule, 0, len(d.lines))
	sum, shares := 0, map[Selector]int{}
	for i, l := range d.lines {
		switch {
		case l.fault != nil:
			problems = append(problems, l.problem(l.fault, i+1))
			continue
		case l.rule == nil || l.rule.Expired(now):
			continue
		}
		r := *l.rule
		r.Line = i + 1
		if r.Verb == Share {
			total := sum - shares[r.Selector] + r.Share
			if total > wholeShare {
				problems = append(problems, l.problem(l.overfull(total), i+1))
				continue
			}
			sum, shares[r.Selector] = total, r.Share
		}
		rules = append(rules, r)
	}
	return rules, problems
}

// overfull is what is wrong with a share that makes the sum more than 100 %.
func (l line) overfull(sum int) *fault {
	fields, _ := split(l.text)
	return faultAt(fields[2].offset, "the shares up to here are %s; want at most 100%%",
		formatShare(sum))
}
