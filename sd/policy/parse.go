package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A fault is what is wrong with a line, and where: at which byte, from 0.
type fault struct {
	offset int
	cause  string
}

func faultAt(offset int, format string, args ...any) *fault {
	return &fault{offset, fmt.Sprintf(format, args...)}
}

// A field is a part of a line between blanks.
type field struct {
	text   string
	offset int
}

func (f field) isOption() bool {
	key, _, ok := strings.Cut(f.text, "=")
	return ok && (key == "until" || key == "by" || key == "reason")
}

// parseRule reads a line that is neither blank nor a comment. Blanks are spaces and tabs.
func parseRule(text string) (Rule, *fault) {
	fields, f := split(text)
	if f != nil {
		return Rule{}, f
	}
	verb, ok := parseVerb(fields[0].text)
	if !ok {
		return Rule{}, faultAt(fields[0].offset,
			"unknown verb %.64q; want zone, drain, withdraw, share or weight", fields[0].text)
	}
	r := Rule{Verb: verb}
	a := arguments{fields[1:], len(text)}
	if verb == Zone {
		f = r.parseZone(&a)
	} else {
		f = r.parseSelector(&a)
	}
	if f == nil && (verb == Weight || verb == Share) {
		f = r.parseAmount(&a)
	}
	if f == nil {
		f = r.parseOptions(a.fields)
	}
	return r, f
}

// split cuts a line into fields. Between a quote after an equals sign and the next one, blanks
// are no cuts; a backslash there makes the character after it an ordinary one.
func split(text string) ([]field, *fault) {
	if i := unprintable(text); i >= 0 {
		return nil, faultAt(i, "%+.1q is no printable character", text[i:])
	}
	var fields []field
	start, quoted := -1, -1 // where the field and the quoted text began
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted >= 0 && c == '\\':
			i++
		case quoted >= 0 && c == '"':
			quoted = -1
		case quoted >= 0:
		case c == ' ' || c == '\t':
			if start >= 0 {
				fields, start = append(fields, field{text[start:i], start}), -1
			}
		case start < 0:
			start = i
		case c == '"' && text[i-1] == '=':
			quoted = i
		}
	}
	if quoted >= 0 {
		return nil, faultAt(quoted, "the quote is not closed")
	}
	if start >= 0 {
		fields = append(fields, field{text[start:], start})
	}
	return fields, nil
}

// arguments are the fields of a line that are still to be read.
type arguments struct {
	fields []field
	end    int // the length of the line
}

// next takes the next field that is not an option.
func (a *arguments) next(what string) (field, *fault) {
	switch {
	case len(a.fields) == 0:
		return field{}, faultAt(a.end, "%s is missing", what)
	case a.fields[0].isOption():
		return field{}, faultAt(a.fields[0].offset, "%s is missing before the options", what)
	}
	first := a.fields[0]
	a.fields = a.fields[1:]
	return first, nil
}

func (r *Rule) parseSelector(a *arguments) *fault {
	arg, f := a.next("the selector")
	if f != nil {
		return f
	}
	sel, err := parseSelector(arg.text)
	if err != nil {
		return faultAt(arg.offset, "selector %.64q: %v", arg.text, err)
	}
	r.Selector = sel
	return nil
}

func (r *Rule) parseAmount(a *arguments) *fault {
	what, ok := fmt.Sprintf("a weight of 0 to %d", MaxWeight), false
	if r.Verb == Share {
		what = "a share of 0% to 100%"
	}
	arg, f := a.next(what)
	if f != nil {
		return f
	}
	if r.Verb == Share {
		r.Share, ok = parseShare(arg.text)
	} else {
		r.Weight, ok = parseNumber(arg.text, MaxWeight)
	}
	if !ok {
		return faultAt(arg.offset, "%.64q: want %s", arg.text, what)
	}
	return nil
}

func (r *Rule) parseZone(a *arguments) *fault {
	name, f := a.next("the name of the zone")
	if f != nil {
		return f
	}
	if cause := refuseZone(name.text); cause != "" {
		return faultAt(name.offset, "zone %.64q: %s", name.text, cause)
	}
	r.Zone = name.text
	for len(r.Prefixes) == 0 || len(a.fields) > 0 && !a.fields[0].isOption() {
		arg, f := a.next("a CIDR")
		if f != nil {
			return f
		}
		p, err := parsePrefix(arg.text)
		if err != nil {
			return faultAt(arg.offset, "%.64q: %v", arg.text, err)
		}
		r.Prefixes = append(r.Prefixes, p)
	}
	return nil
}

// parseOptions reads what stands at the end of a line.
func (r *Rule) parseOptions(fields []field) *fault {
	seen := make(map[string]bool, len(fields))
	for _, opt := range fields {
		key, text, _ := strings.Cut(opt.text, "=")
		value, cause := unquote(text)
		switch offset := opt.offset + len(key) + 1; {
		case !opt.isOption():
			return faultAt(opt.offset, "%.64q: want until=TIME, by=NAME or reason=\"TEXT\" here, "+
				"or nothing; a comment has a line of its own", opt.text)
		case seen[key]:
			return faultAt(opt.offset, "%s= stands here twice", key)
		case cause != "":
			return faultAt(offset, "%.64q: %s", text, cause)
		case key == "by":
			r.By = value
		case key == "reason":
			r.Reason = value
		default:
			t, err := time.Parse(time.RFC3339, value)
			t = t.UTC()
			cannotBeWritten := t.Year() < 0 || t.Year() > 9999
			if err != nil || t.IsZero() || cannotBeWritten { // the zero time stands for no end
				return faultAt(offset, "%.64q: want a time such as 2026-12-01T06:00:00Z", value)
			}
			r.Until = t
		}
		seen[key] = true
	}
	return nil
}

// quote returns a value of an option as it stands in a document: in quotes if it has to.
func quote(s string) string {
	if strings.ContainsAny(s, "\t \"\\") || unprintable(s) >= 0 {
		return strconv.Quote(s)
	}
	return s
}

// unquote reads a value of an option, and says what is wrong with it, or nothing.
func unquote(s string) (value, cause string) {
	value = s
	if strings.Contains(s, `"`) {
		var err error
		if value, err = strconv.Unquote(s); err != nil || s[0] != '"' {
			return "", `want "TEXT" and a blank after it; in it, \" is a quote and \\ a backslash`
		}
	}
	if value == "" {
		return "", "the value is empty"
	}
	if i := unprintable(value); i >= 0 {
		return "", fmt.Sprintf("%+.1q is no printable character", value[i:])
	}
	return value, ""
}
