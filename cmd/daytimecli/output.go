package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf16"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/transport"
)

// A writeError is a failure of stdout. It ends the run, unlike one of a server.
type writeError struct{ err error }

func (e writeError) Error() string { return "stdout: " + e.err.Error() }
func (e writeError) Unwrap() error { return e.err }

// put writes text to stdout.
func put(stdout io.Writer, text string) error {
	if _, err := io.WriteString(stdout, text); err != nil {
		return writeError{err}
	}
	return nil
}

// quiet takes a reader that has gone, or that reads no more at the end of the program, for no
// error.
func quiet(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, shell.ErrStalled) {
		return nil
	}
	return err
}

// print writes a result to stdout: a line, or nothing when there is no reply and the output is
// not JSON.
func (c *config) print(stdout io.Writer, r result) error {
	switch {
	case c.output == "json":
		line, err := r.json()
		if err != nil {
			return err
		}
		return put(stdout, line)
	case r.err != nil || c.output == "none":
		return nil
	default:
		return put(stdout, transport.Printable(r.reply)+"\n")
	}
}

// json is r as an object on one line. Every key is always there.
func (r result) json() (string, error) {
	object := struct {
		Seq      int       `json:"seq"`
		Time     string    `json:"time"`
		Server   string    `json:"server"`
		Reply    string    `json:"reply"`
		Error    string    `json:"error"`
		MS       float64   `json:"ms"`
		Attempts int       `json:"attempts"`
		Tries    []attempt `json:"tries"`
	}{
		Seq:      r.seq,
		Time:     r.begin.UTC().Format(stampLayout),
		Server:   r.server,
		Reply:    r.reply,
		Error:    errorText(r.err),
		MS:       milliseconds(r.took),
		Attempts: len(r.tries),
		Tries:    []attempt{},
	}
	for _, t := range r.tries {
		object.Tries = append(object.Tries, attempt{t.Instance, errorText(t.Err), milliseconds(t.Took)})
	}
	return jsonLine(object)
}

// An attempt is one of a result in JSON.
type attempt struct {
	Server string  `json:"server"`
	Error  string  `json:"error"` // empty if it was answered
	MS     float64 `json:"ms"`
}

// errorText is the text of err, empty for none.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// jsonLine is object on one line.
func jsonLine(object any) (string, error) {
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
