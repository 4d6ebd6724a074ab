package shell

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/transport"
)

var _ kitlog.Logger = wordsLogger{}

// A wordsLogger writes lines for people: "warning: 192.0.2.1:8897: lost: connection refused". The
// time is left out, which the reader of a terminal knows, and so is the registry, unless it is one
// of several.
type wordsLogger struct {
	w          io.Writer
	registries *atomic.Bool // are several
}

func (l wordsLogger) Log(keyvals ...any) error {
	var prefix, registry, instance, message, cause string
	var rest []string
	for i := 0; i+1 < len(keyvals); i += 2 {
		value := text(keyvals[i+1])
		switch key := keyvals[i]; key {
		case level.Key():
			prefix = prefixOf(keyvals[i+1])
		case "ts":
		case "sd":
			if l.registries.Load() && !strings.Contains(value, " ") { // and not all of them
				registry = value
			}
		case "instance":
			instance = value
		case "msg":
			message = brief(value)
		case "err":
			cause = brief(value)
		case "instances":
			if value != "0" { // which the message says
				rest = append(rest, "instances "+value)
			}
		default:
			rest = append(rest, fmt.Sprintf("%v %s", key, value))
		}
	}
	rest = slices.DeleteFunc(rest, func(s string) bool { return instance != "" && strings.HasSuffix(s, " "+instance) })
	if len(rest) > 0 {
		message += " (" + strings.Join(rest, ", ") + ")"
	}
	if strings.Contains(cause, instance) {
		instance = "" // once is enough
	}
	if strings.Contains(message+cause, registry) {
		registry = ""
	}
	var parts []string
	for _, part := range []string{registry, instance, message, cause} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	_, err := io.WriteString(l.w, prefix+strings.Join(parts, ": ")+"\n")
	return err
}

// prefixOf is the beginning of a line of that level. Most lines are information.
func prefixOf(value any) string {
	switch value {
	case level.ErrorValue():
		return "error: "
	case level.WarnValue():
		return "warning: "
	case level.DebugValue():
		return "debug: "
	default:
		return ""
	}
}

// Parts of the text of an error that a person does not need: the packages that it came through, and
// the steps of a dial beside the address and the reason.
var (
	packagePrefix = regexp.MustCompile(`(^|[:;] )(?:sd|zk|session|etcd|dns|file|policy|lb|transport|export): `)
	dialSteps     = regexp.MustCompile(`(?:(\S+): )?(?:cannot connect: )?dial tcp (\S+): (?:connect: )?`)
	deadline      = regexp.MustCompile(`context deadline exceeded`)
)

// brief is the text of an error in fewer words.
func brief(text string) string {
	text = packagePrefix.ReplaceAllString(text, "$1")
	text = dialSteps.ReplaceAllStringFunc(text, func(steps string) string {
		m := dialSteps.FindStringSubmatch(steps)
		if m[1] == "" || m[1] == m[2] {
			return m[2] + ": "
		}
		return m[1] + ": " + m[2] + ": "
	})
	return deadline.ReplaceAllString(text, "timeout")
}

// What an error repeats of what the program was given, which may be of any length.
const (
	maxWord  = 1000 // characters without a blank: more than a path or a list of hosts has
	maxError = 5000 // and of the whole
)

var longWord = regexp.MustCompile(fmt.Sprintf(`\S{%d}\S+`, maxWord))

// short is the text of an error with the middles left out of words that are too long, and of the
// whole: what is wrong with a value stands behind it.
func short(text string) string {
	return withoutMiddle(longWord.ReplaceAllStringFunc(text, func(word string) string {
		return withoutMiddle(word, maxWord)
	}), maxError)
}

// withoutMiddle is text if it has so many characters at most, and else its beginning and its end.
func withoutMiddle(text string, most int) string {
	all := []rune(text)
	if len(all) <= most {
		return text
	}
	return string(all[:most/2]) + "…" + string(all[len(all)-most/2:])
}

// text is a value on one line that no terminal acts on. A value may have come from the network.
func text(value any) string {
	return transport.Printable(strings.ReplaceAll(fmt.Sprint(value), "\n", "; "))
}
