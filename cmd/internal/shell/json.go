package shell

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// JSONLine is object on one line.
func JSONLine(object any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(object)
	return printableJSON(text.String()), err
}

// printableJSON escapes the characters that package json leaves alone and a terminal may not, such
// as U+009B, which begins a control sequence. They stand in strings only, so that the value is the
// same.
func printableJSON(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// ErrorText is the text of err, empty for none.
func ErrorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Milliseconds is d as a number for JSON.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
