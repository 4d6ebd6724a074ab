package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/daytime/sd"
)

// labels are what stands beside a name: attributes, not yet judged.
type labels map[string]string

// An instance is what the file says of one name. The name is judged by package sd.
type instance struct {
	name   string
	labels labels
}

// Why a text is no set.
var (
	errEmpty   = errors.New("no bytes: want a comment, or [], for a set without instances")
	errMark    = errors.New("begins with a byte order mark: want UTF-8 without one")
	errUTF8    = errors.New("not UTF-8")
	errNewline = errors.New("the last line has no newline: still being written")
)

// parse reads either form. It returns an error if text is none, or not a whole one.
func parse(text []byte) (instances []instance, err error) {
	switch {
	case len(text) == 0:
		return nil, errEmpty
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return nil, errMark
	case !utf8.Valid(text):
		return nil, errUTF8
	case isJSON(text):
		instances, err = parseJSON(text)
	default:
		instances, err = parseLines(text)
	}
	if err == nil {
		err = refuseAll(instances)
	}
	if err != nil {
		return nil, err
	}
	return once(instances), nil
}

// isJSON reports whether text is meant to be JSON: an array of objects, or an empty one. A line may
// begin with a bracket as well, that of an IPv6 address.
func isJSON(text []byte) bool {
	const blanks = " \t\r\n"
	inside, isArray := bytes.CutPrefix(bytes.TrimLeft(text, blanks), []byte("["))
	inside = bytes.TrimLeft(inside, blanks)
	return isArray && (len(inside) == 0 || inside[0] == '{' || inside[0] == ']')
}

// parseJSON reads the form of file_sd.
func parseJSON(text []byte) (instances []instance, err error) {
	var groups []struct {
		Targets []string `json:"targets"`
		Labels  labels   `json:"labels"`
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		return nil, fmt.Errorf("JSON of file_sd: %w", err)
	}
	for _, g := range groups {
		for key := range g.Labels {
			if strings.HasPrefix(key, "__") {
				delete(g.Labels, key)
			}
		}
		for _, name := range g.Targets {
			instances = append(instances, instance{name, g.Labels})
		}
	}
	return instances, nil
}

// parseLines reads the form with an instance a line.
func parseLines(text []byte) (instances []instance, err error) {
	if text[len(text)-1] != '\n' {
		return nil, errNewline
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if comment := slices.IndexFunc(fields, isComment); comment >= 0 {
			fields = fields[:comment]
		}
		if len(fields) == 0 {
			continue
		}
		i := instance{name: fields[0]}
		for _, field := range fields[1:] {
			key, value, found := strings.Cut(field, "=")
			if _, twice := i.labels[key]; !found || twice {
				continue // not an attribute: it must not hide the instance
			}
			if i.labels == nil {
				i.labels = labels{}
			}
			i.labels[key] = value
		}
		instances = append(instances, i)
	}
	return instances, nil
}

func isComment(field string) bool { return field[0] == '#' }

// refuseAll returns an error if there are names and none is an instance: the text is something
// else.
func refuseAll(instances []instance) (first error) {
	for _, i := range instances {
		err := sd.CheckInstance(i.name)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return fmt.Errorf("none of %d names is an instance: %w", len(instances), first)
	}
	return nil
}

// once leaves out what stands before already.
func once(instances []instance) []instance {
	seen := make(map[string]struct{}, len(instances))
	return slices.DeleteFunc(instances, func(i instance) bool {
		_, twice := seen[i.name]
		seen[i.name] = struct{}{}
		return twice
	})
}
