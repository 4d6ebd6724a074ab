package transport

import "errors"

// The ways in which a call, or a server, ends. Each comes wrapped together with its cause: a
// refused connection matches ErrConnect and syscall.ECONNREFUSED. ServerErrorHandler gets
// ErrMaxConns and ErrMaxConnsPerIP, ErrHandshake for clients that came to no handshake, and
// ErrTLSFiles with why a TLSSource has nothing newer, or that it has come to its end.
var (
	ErrServerClosed  = errors.New("server closed")        // Serve, after Shutdown
	ErrConnect       = errors.New("cannot connect")       // no connection came about
	ErrHandshake     = errors.New("TLS handshake failed") // nobody proved the name of the service
	ErrNoReply       = errors.New("no reply")             // the end came before a printable character
	ErrTooLong       = errors.New("reply too long")       // over MaxLine bytes without a line end
	ErrDeadline      = errors.New("deadline exceeded")    // time ran out, perhaps after half a line
	ErrMaxConns      = errors.New("too many connections") // more than MaxConns
	ErrMaxConnsPerIP = errors.New("too many connections from one address")
	ErrNotALine      = errors.New("not a line") // WriteLine was given something else
	ErrTLSFiles      = errors.New("TLS goes on with what it has")
	ErrTLSAuthority  = errors.New("TLS authority") // of TLSFiles, the CA cannot be used
)

// An Error is a failed call. Err holds a sentinel, if one fits, and the cause. A deadline matches
// ErrDeadline, context.DeadlineExceeded and os.ErrDeadlineExceeded, whichever of the two clocks
// noticed it; a cancelled call matches context.Canceled.
type Error struct {
	Addr string // the server's address
	Err  error

	unsent bool
}

// Error names the server and the reason.
func (e *Error) Error() string { return "transport: " + e.Addr + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Unsent reports whether the call failed on the way to its server, before a byte of the request was
// sent or read: a name that does not resolve, a refused connection, no route, no connection in time,
// a TLS handshake that failed. No endpoint can have acted on it, so that even a call that must not be
// made twice may go to another server. Package sd/lb looks for this method with errors.As.
func (e *Error) Unsent() bool { return e.unsent }
