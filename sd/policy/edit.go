package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keptExpired is how long an expired line stays in a document, for people to see.
const keptExpired = 24 * time.Hour

// versionPrefix begins the comment that tells which version of the document this is a copy of.
const versionPrefix = "#version"

// Set returns the document with a rule. It stands in the place of the line with the same verb and
// selector; of several the last one's, the others go. Where there is none it stands at the end, and
// so do a weight, a share and a zone if a later line of the verb could match the same instances: in
// the old place that line would go on deciding, and the command would do nothing. All other
// lines stay as they are.
//
// An error matches [*Problem]: the rule is not one that a document can have, with the column in
// [Rule.String], or shares would add up to more than 100 % at now, with the line and the column.
func (d Document) Set(r Rule, now time.Time) (Document, error) {
	l := line{text: r.String()}
	parsed, f := parseRule(l.text)
	if f != nil {
		return d, l.problem(f, 0)
	}
	l.rule = &parsed
	next := d.replaced(l)
	if len(next.String()) > MaxSize {
		return d, &Problem{Column: 1, Cause: fmt.Sprintf("the policy would be over %d bytes",
			MaxSize)}
	}
	if r.Verb == Share {
		for _, p := range next.Problems(now) {
			if next.lines[p.Line-1].rule != nil { // right in itself: the sum is wrong
				return d, p
			}
		}
	}
	return next, nil
}

// place is where a rule replaces a line, or -1 if it is to stand at the end.
func (d Document) place(r Rule) int {
	at := -1
	for i, l := range d.lines {
		switch {
		case l.rule == nil || l.rule.Verb != r.Verb:
		case l.rule.sameSubject(r):
			at = i
		case r.Verb != Drain && r.Verb != Withdraw && l.rule.overlaps(r):
			at = -1 // of what is above, l would decide
		}
	}
	return at
}

// replaced puts a line in its place.
func (d Document) replaced(l line) Document {
	at := d.place(*l.rule)
	next := Document{make([]line, 0, len(d.lines)+2)}
	for i, old := range d.lines {
		switch {
		case i == at:
			next.lines = append(next.lines, line{text: l.text, end: old.end, rule: l.rule})
		case old.rule == nil || !old.rule.sameSubject(*l.rule):
			next.lines = append(next.lines, old)
		}
	}
	if at < 0 {
		return next.appended(l)
	}
	return next
}

// appended adds a line at the end, with the end of line that the document has. It may change d.
func (d Document) appended(l line) Document {
	if d.IsEmpty() {
		d.lines = append(d.lines, line{text: Header, end: "\n"})
	}
	l.end = "\n"
	if d.lines[0].end == "\r\n" {
		l.end = "\r\n"
	}
	switch final := &d.lines[len(d.lines)-1]; final.end {
	case "":
		final.end = l.end
	case "\r":
		final.end = "\r\n"
	}
	return Document{append(d.lines, l)}
}

// Remove returns the document without the lines that have one of the verbs and exactly this
// selector, and these lines. Undraining removes Drain and Withdraw.
func (d Document) Remove(s Selector, verbs ...Verb) (Document, []Rule) {
	return d.without(func(r Rule) bool {
		return r.Verb != Zone && r.Selector == s && slices.Contains(verbs, r.Verb)
	})
}

// Prune returns the document without the lines that expired a day ago or longer, and these
// lines. Every command that writes does it.
func (d Document) Prune(now time.Time) (Document, []Rule) {
	return d.without(func(r Rule) bool { return r.Expired(now.Add(-keptExpired)) })
}

func (d Document) without(drop func(Rule) bool) (Document, []Rule) {
	var next Document
	var dropped []Rule
	for i, l := range d.lines {
		if l.rule != nil && drop(*l.rule) {
			r := *l.rule
			r.Line = i + 1
			dropped = append(dropped, r)
		} else {
			next.lines = append(next.lines, l)
		}
	}
	return next, dropped
}

// StillDrained returns the rules that hold at now and drain something that s selects: one that
// decides about an instance of the fleet, and one whose own selector takes in all of s, such as
// the network of an address that is not registered. Undrain asks this after [Document.Remove].
func (d Document) StillDrained(s Selector, fleet []Entry, now time.Time) []Rule {
	p := d.Compile(now)
	hit := make([]bool, len(p.rules))
	for _, e := range fleet {
		if eff, l := p.evaluate(e); eff.Drained && p.Matches(s, e) {
			for _, v := range []Verb{Drain, Withdraw} {
				if l[v] > 0 {
					hit[l[v]-1] = true
				}
			}
		}
	}
	var rules []Rule
	for i, r := range p.rules {
		drains := r.Verb == Drain || r.Verb == Withdraw
		if drains && (hit[i] || r.Selector.covers(s)) {
			rules = append(rules, r)
		}
	}
	return rules
}

// WithVersion returns the document with the comment "#version N" as its last line, or in the place of
// such comments that it has: all other lines keep their numbers, so that what is told of a line of
// the document holds in the copy. An empty document becomes a header with it.
func (d Document) WithVersion(n int64) Document {
	text := versionPrefix + " " + strconv.FormatInt(n, 10)
	next, found := slices.Clone(d.lines), false
	for i, l := range next {
		if l.isVersion() {
			next[i].text, found = text, true
		}
	}
	if found {
		return Document{next}
	}
	end := "\n"
	if len(next) > 0 {
		end = next[len(next)-1].end
	}
	next = Document{next}.appended(line{text: text}).lines
	next[len(next)-1].end = end // so that CutVersion gives back what there was
	return Document{next}
}

// isVersion reports whether l is a comment that tells a version.
func (l line) isVersion() bool {
	fields := strings.Fields(l.text)
	return len(fields) > 0 && fields[0] == versionPrefix
}

// CutVersion returns the document without "#version N" comments, and N. Found is false if there
// is none. An error matches [*Problem]: N is no number, or there are two that differ.
func (d Document) CutVersion() (_ Document, n int64, found bool, err error) {
	var next Document
	for i, l := range d.lines {
		if !l.isVersion() {
			next.lines = append(next.lines, l)
			continue
		}
		if last := len(next.lines) - 1; i == len(d.lines)-1 && last >= 0 {
			next.lines[last].end = l.end
		}
		number := strings.Join(strings.Fields(l.text)[1:], " ")
		m, wrong := strconv.ParseInt(number, 10, 64)
		switch at := strings.Index(l.text, versionPrefix); {
		case wrong != nil || m < 0:
			err = errors.Join(err, l.problem(faultAt(at, "want #version and a number"), i+1))
		case found && m != n:
			err = errors.Join(err, l.problem(faultAt(at, "%d stands above already", n), i+1))
		default:
			n, found = m, true
		}
	}
	return next, n, found, err
}

// ParseCopy is [Parse] of a copy as [Document.WithVersion] makes it: the comment with the version
// does not count in the size, so that a policy of any size can be written back.
func ParseCopy(data string) (Document, error) {
	const digits, end = 20, 2
	d, err := parse(data, len(versionPrefix+" ")+digits+end)
	if err != nil {
		return d, err
	}
	if cut, _, _, wrong := d.CutVersion(); wrong == nil && !cut.IsEmpty() {
		if p := refuseDocument(cut.String(), 0); p != nil {
			return Document{}, &unreadable{p}
		}
	}
	return d, nil
}
