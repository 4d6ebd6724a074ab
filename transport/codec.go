package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// MaxLine is the length of the longest line in bytes. Its line end counts, and so do blank
	// lines in front of it.
	MaxLine = 256

	// quietTimeout is how long a client waits for the rest of a line that has no line end.
	quietTimeout = time.Second

	// maxEmptyReads is how many Reads may return neither a byte nor an error, as in package bufio.
	maxEmptyReads = 100
)

// errQuiet is the error of a readQuiet that no byte ended.
var errQuiet = errors.New("no byte for " + quietTimeout.String())

// A quietReader can tell a pause from the end. The reader of a client's DecodeFunc is one.
type quietReader interface {
	// readQuiet is a Read that fails with errQuiet when quietTimeout passes without a byte.
	readQuiet(p []byte) (int, error)
}

// ReadLine reads the first line with a printable character, as [Printable] has it and not a space,
// and returns it without its line end, LF or CRLF. Blank lines in front of it are skipped, as
// time.nist.gov sends one; bytes after it are ignored.
//
// A line without a line end is complete when the input ends or the connection is reset, because the
// plainest servers send none. If r is the reader of a client's [DecodeFunc], it is also complete
// when no byte comes for a second: some of those servers do not hang up either.
//
// It fails with ErrNoReply when nothing printable comes before the end, or a TLS alert alone, with
// ErrTooLong when more than MaxLine bytes come in all, and with the reader's own error when that is
// a deadline or another failure. It never holds more than a line.
func ReadLine(r io.Reader) (string, error) {
	text := make([]byte, 0, MaxLine+1) // one byte more than fits tells a line that is too long
	begun := false
	for empty := 0; empty < maxEmptyReads; {
		n, err := readPart(r, text[len(text):cap(text)], begun)
		text = text[:len(text)+n]
		line, complete := firstLine(text)
		switch {
		case complete:
			return trimLine(line), nil
		case len(text) > MaxLine:
			return "", fmt.Errorf("%w: over %d bytes", ErrTooLong, MaxLine)
		case err != nil:
			return cutOff(line, text, err)
		case n == 0:
			empty++
		}
		begun = hasText(line)
	}
	return "", io.ErrNoProgress
}

// readPart reads once. A quietReader that has begun a line need not end it.
func readPart(r io.Reader, p []byte, begun bool) (int, error) {
	if quiet, ok := r.(quietReader); ok && begun {
		return quiet.readQuiet(p)
	}
	return r.Read(p)
}

// firstLine returns the first line that has a printable character and ends within MaxLine bytes, or
// else the text behind the last line end.
func firstLine(text []byte) (line []byte, complete bool) {
	rest := text[:min(len(text), MaxLine)]
	for {
		line, rest, complete = bytes.Cut(rest, []byte("\n"))
		if !complete || hasText(line) {
			return line, complete
		}
	}
}

// hasText reports whether line has a visible character.
func hasText(line []byte) bool { return bytes.ContainsFunc(line, visible) }

// visible reports whether r makes an answer of a line.
func visible(r rune) bool { return r != ' ' && !unprintable(r) }

// errAlert says what an alert in reply to clear text means.
var errAlert = errors.New("a TLS alert: it speaks TLS, and is asked in clear text")

// isAlert reports whether text is an alert record in clear text, and nothing else: type 21, the
// version of the record layer, the length 2, the level, which is 1 or 2, and what is wrong, often a
// printable byte (RFC 8446 §5.1 and §6). That is how a server of TLS refuses what is no handshake.
func isAlert(text []byte) bool {
	return len(text) == 7 && bytes.HasPrefix(text, []byte{21, 3}) && text[2] <= 4 &&
		text[3] == 0 && text[4] == 2 && (text[5] == 1 || text[5] == 2)
}

// cutOff decides whether line, which err ended before a line end came, is an answer; text is all
// that came. A deadline is no answer, even after half a line: that server has stalled. Neither is
// the alert of a server that speaks TLS.
func cutOff(line, text []byte, err error) (string, error) {
	n := len(text)
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || err == errQuiet
	begun := hasText(line)
	switch {
	case isAlert(text):
		if err == io.EOF || err == errQuiet { // no more comes after an alert
			err = io.ErrUnexpectedEOF
		}
		return "", fmt.Errorf("%w: %w: %w", ErrNoReply, errAlert, err)
	case ended && begun:
		return trimLine(line), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("after %d bytes: %w", n, err)
	case begun:
		return "", fmt.Errorf("after half a line: %w", err)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		return "", fmt.Errorf("%w: nothing printable in %d bytes: %w", ErrNoReply, n, err)
	}
	return "", fmt.Errorf("%w: %w", ErrNoReply, err)
}

// trimLine takes away the CR of a CRLF, also of one that was cut in two.
func trimLine(line []byte) string { return string(bytes.TrimSuffix(line, []byte("\r"))) }

// WriteLine writes line and CRLF in one Write. It refuses with ErrNotALine every line that ReadLine
// would not give back: one that holds a CR or LF, one without a printable character, and one that
// is longer than MaxLine allows.
func WriteLine(w io.Writer, line string) error {
	if len(line)+2 > MaxLine {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrNotALine, len(line), MaxLine-2)
	}
	if strings.ContainsAny(line, "\r\n") || !strings.ContainsFunc(line, visible) {
		return fmt.Errorf("%w: %q", ErrNotALine, line)
	}
	_, err := io.WriteString(w, line+"\r\n")
	return err
}
