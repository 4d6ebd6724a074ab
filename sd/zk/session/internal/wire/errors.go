package wire

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// The errors of this package, for [errors.Is]; package session says what each means. The last two
// are reasons, for the text of an error.
var (
	ErrBadFrame   = errors.New("bad frame")
	ErrDenied     = errors.New("denied")
	ErrTooLong    = errors.New("more than is accepted")
	ErrUnanswered = errors.New("pings are answered, and requests are not")

	errUnproved = errors.New("no answer to the credentials") // of a server that granted a session
	errMulti    = fmt.Errorf("%w: results of a multi that do not end within it", ErrBadFrame)
)

// noConnectReply is the error for a frame of so many bytes where a connect reply is due. A server
// that wants TLS may answer with an alert (RFC 8446, section 6), whose first bytes are no length.
func noConnectReply(size int64) error {
	const alert = 0x1503 // its type, and the major version of the protocol
	if size>>16 == alert {
		return fmt.Errorf("%w: a TLS alert in place of a connect reply: the server wants TLS",
			ErrBadFrame)
	}
	return fmt.Errorf("%w of %d bytes in place of a connect reply: want a ZooKeeper", ErrBadFrame,
		size)
}

// TooLong is the error for a frame of so many bytes. It matches ErrTooLong.
func TooLong(size int64) error {
	return fmt.Errorf("frame of %d bytes: %w, which is %d", size, ErrTooLong, MaxFrame)
}

// IsRefusal reports whether the other side closed the connection without a word, rather than time
// having run out, or the reason being known.
func IsRefusal(err error) bool {
	if errors.Is(err, ErrDenied) || errors.Is(err, errUnproved) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.ErrClosedPipe)
}
