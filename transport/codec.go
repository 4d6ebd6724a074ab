package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// MaxLine is the length of the longest line in bytes, its line end included.
const MaxLine = 256

// ReadLine reads one line and returns it without its line end, LF or CRLF, and ignores whatever
// follows it. A line that the end of the input or a reset cuts off after at least one byte counts
// as complete, because the plainest servers send no line end.
//
// It fails with ErrNoReply when nothing comes before the end, with ErrTooLong when more than
// MaxLine bytes come, and with the reader's own error when that is a deadline or another failure.
// It never holds more than a line.
func ReadLine(r io.Reader) (string, error) {
	const size = MaxLine + 1 // one byte more than fits: it tells a line of MaxLine from a longer one
	line, err := bufio.NewReaderSize(r, size).ReadSlice('\n')
	switch {
	case len(line) > MaxLine:
		return "", fmt.Errorf("%w: over %d bytes", ErrTooLong, MaxLine)
	case err != nil:
		return cutOff(line, err)
	default:
		return trimLine(line), nil
	}
}

// cutOff decides whether line, which err ended before a line end came, is an answer. A deadline is
// none, even after half a line: that server has stalled.
func cutOff(line []byte, err error) (string, error) {
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	switch {
	case ended && len(line) > 0:
		return trimLine(line), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("after %d bytes: %w", len(line), err)
	case len(line) > 0:
		return "", fmt.Errorf("after half a line: %w", err)
	case err == io.EOF:
		return "", fmt.Errorf("%w: %w", ErrNoReply, io.ErrUnexpectedEOF)
	default:
		return "", fmt.Errorf("%w: %w", ErrNoReply, err)
	}
}

// trimLine takes LF or CRLF away, and the CR of a CRLF that was cut in two.
func trimLine(line []byte) string {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r")))
}

// WriteLine writes line and CRLF in one Write. It refuses with ErrNotALine what ReadLine would not
// give back: a line that holds a CR or LF, and one that is longer than MaxLine allows.
func WriteLine(w io.Writer, line string) error {
	if len(line)+2 > MaxLine {
		return fmt.Errorf("%w: %d bytes", ErrNotALine, len(line))
	}
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("%w: %q", ErrNotALine, line)
	}
	_, err := io.WriteString(w, line+"\r\n")
	return err
}
