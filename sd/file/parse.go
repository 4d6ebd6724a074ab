package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// maxAttributes is how many a line, or a group of file_sd, can have.
const maxAttributes = 64

// A list is what a file says. Names are judged by package sd.
type list struct {
	entries []policy.Entry
	unread  []string // of which an attribute is wrong
}

// Why a text is no set.
var (
	errEmpty   = errors.New("no bytes, or blanks: want a comment, or [], for a set without instances")
	errMark    = errors.New("begins with a byte order mark: want UTF-8 without one")
	errUTF8    = errors.New("not UTF-8")
	errNewline = errors.New("the last line has no newline: still being written")
	errGroups  = errors.New("want one list of groups with targets")
)

// parse reads either form. It returns an error if text is none, or not a whole one.
func parse(text []byte) (l list, err error) {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return l, errEmpty
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return l, errMark
	case !utf8.Valid(text):
		return l, errUTF8
	case isJSON(text):
		l, err = parseJSON(text)
	default:
		l, err = parseLines(text)
	}
	return l, errors.Join(err, refuseAll(l.entries))
}

// isJSON reports whether text is meant to be JSON: an array of objects, or an empty one. A line may
// begin with a bracket as well, that of an IPv6 address.
func isJSON(text []byte) bool {
	const blanks = " \t\r\n"
	inside, isArray := bytes.CutPrefix(bytes.TrimLeft(text, blanks), []byte("["))
	inside = bytes.TrimLeft(inside, blanks)
	return isArray && (len(inside) == 0 || inside[0] == '{' || inside[0] == ']')
}

// parseJSON reads the form of file_sd. As Prometheus does it refuses a key that it does not know,
// which may be a slip for targets, and a group that is null: they would be sets without instances.
func parseJSON(text []byte) (l list, err error) {
	var groups []*struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&groups)
	if _, end := decoder.Token(); err == nil && (end != io.EOF || slices.Contains(groups, nil)) {
		err = errGroups
	}
	if err != nil {
		return l, fmt.Errorf("JSON of file_sd: %w", err)
	}
	for _, g := range groups {
		var labels []label
		for key, value := range g.Labels {
			if !strings.HasPrefix(key, "__") {
				labels = append(labels, label{key, value})
			}
		}
		l.add(g.Targets, labels)
	}
	return l, nil
}

// parseLines reads the form with an instance a line.
func parseLines(text []byte) (l list, err error) {
	if text[len(text)-1] != '\n' {
		return l, errNewline
	}
	var labels []label // of one line
	for line := range strings.Lines(string(text)) {
		var names []string
		labels = labels[:0]
		for field := range strings.FieldsSeq(line) {
			if field[0] == '#' || len(labels) > maxAttributes {
				break
			}
			if names == nil {
				names = []string{field}
				continue
			}
			key, value, _ := strings.Cut(field, "=")
			labels = append(labels, label{key, value})
		}
		l.add(names, labels)
	}
	return l, nil
}

// A label is what stands beside a name.
type label struct{ key, value string }

// add takes in names with the attributes that they share. Wrong ones must not hide the instances.
func (l *list) add(names []string, labels []label) {
	a, ok := attributes(labels)
	for _, name := range names {
		l.entries = append(l.entries, policy.Entry{Instance: name, Attributes: a})
	}
	if !ok {
		l.unread = append(l.unread, names...)
	}
}

// attributes is what labels say, without those that are wrong, and whether none is. Of too many
// none is right.
func attributes(labels []label) (a policy.Attributes, ok bool) {
	if len(labels) > maxAttributes {
		return a, false
	}
	ok = true
	for n, one := range labels {
		twice := slices.ContainsFunc(labels[:n], func(b label) bool { return b.key == one.key })
		ok = !twice && set(&a, one) && ok
	}
	return a, ok
}

// set takes in one attribute, if it is right.
func set(a *policy.Attributes, l label) bool {
	switch l.key {
	case "weight":
		n, err := strconv.Atoi(l.value)
		if err != nil || policy.CheckWeight(n) != nil {
			return false
		}
		a.Weight = &n
	case "zone":
		if policy.CheckZone(l.value) != nil {
			return false
		}
		a.Zone = l.value
	default:
		if policy.CheckTag(l.key, l.value) != nil {
			return false
		}
		if a.Tags == nil {
			a.Tags = map[string]string{}
		}
		a.Tags[l.key] = l.value
	}
	return true
}

// refuseAll returns an error if there are names and none is an instance: the text is something
// else.
func refuseAll(entries []policy.Entry) (first error) {
	for _, e := range entries {
		err := sd.CheckInstance(e.Instance)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return fmt.Errorf("none of %d names is an instance: %w", len(entries), first)
	}
	return nil
}
