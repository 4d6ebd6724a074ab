package main

import (
	"errors"
	"io"
	"syscall"

	"example.com/daytime/cmd/internal/load"
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
func (c *config) print(stdout io.Writer, r load.Result) error {
	switch {
	case c.output == "json":
		line, err := r.JSON()
		if err != nil {
			return err
		}
		return put(stdout, line)
	case r.Err != nil || c.output == "none":
		return nil
	default:
		return put(stdout, transport.Printable(r.Reply)+"\n")
	}
}
