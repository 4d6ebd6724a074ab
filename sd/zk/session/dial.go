package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"example.com/daytime/sd/zk/session/internal/hosts"
	"example.com/daytime/sd/zk/session/internal/wire"
)

// dialTimeout bounds a TCP connection, and TLS on it at least.
const dialTimeout = time.Second

// A provider is go-zookeeper's HostProvider. It names no server: the dialer chooses one, so
// that it can wait for one, and try every address of a name.
type provider struct{ handle *handle }

func (provider) Init([]string) error { return nil }
func (provider) Len() int            { return 1 }
func (provider) Connected()          {}

// Next is asked before each dial. RetryStart makes the library fail what is queued, pause for a
// second, and look whether it was closed.
func (p provider) Next() (server string, retryStart bool) {
	return "zookeeper", p.handle.mustFlush()
}

// dial is go-zookeeper's dialer. It runs in the Conn's own goroutine.
func (h *handle) dial(string, string, time.Duration) (net.Conn, error) {
	h.closeGuard() // go-zookeeper leaves it open after an expiry
	if err := h.session.limiter.Wait(h.ctx, h.plan.Size(), h.urgent); err != nil {
		return nil, err
	}
	to, err := h.plan.Next(h.ctx, h.saving())
	if err != nil {
		h.dialFailed(hosts.Server{}, err)
		return nil, err
	}
	h.session.dials.Add(1)
	h.noteWaiting("no connection yet", to)
	conn, err := h.connect(to)
	if err != nil {
		h.dialFailed(to, err)
		return nil, err
	}
	// To give up before the next dial is due would gain nothing.
	timeout := max(h.handshakeTimeout(), h.session.limiter.Due())
	h.noteWaiting("no answer to the handshake yet", to)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server, h.shaking = to, true
	h.guard = wire.NewGuard(conn, timeout, func(shake wire.Handshake) { h.onHandshake(to, shake) })
	h.guard.LongList = h.session.longList
	return h.guard, nil
}

// connect opens a connection, with TLS and credentials if they are configured.
func (h *handle) connect(to hosts.Server) (net.Conn, error) {
	config := h.session.config
	secret, err := config.secret()
	if err != nil {
		return nil, err
	}
	conn, err := h.connectTCP(to)
	if err == nil && config.TLS.used() {
		conn, err = h.secure(conn, to)
	}
	if err != nil || secret == nil {
		return conn, err
	}
	return wire.Authenticate(conn, secret), nil
}

// connectTCP takes a second at most, and less if there is a session to be saved elsewhere.
func (h *handle) connectTCP(to hosts.Server) (net.Conn, error) {
	timeout := dialTimeout
	if h.saving() {
		timeout = min(timeout, h.handshakeTimeout())
	}
	ctx, cancel := context.WithTimeout(h.ctx, timeout)
	defer cancel()
	conn, err := h.session.config.Dial(ctx, "tcp", to.Address)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil && h.ctx.Err() == nil {
		return nil, fmt.Errorf("%v: no connection within %v: %w", to, timeout, err)
	}
	var syscall *os.SyscallError
	if errors.As(err, &syscall) { // the rest of the text is the address once more
		err = syscall.Err
	}
	if wire.IsRefusal(err) { // it was accepted, and closed before connect(2) had returned
		err = fmt.Errorf("%s (%w: %w)", h.session.config.refusal(), errClosedAtOnce, err)
	}
	return nil, fmt.Errorf("%v: %w", to, err)
}

// secure does the TLS handshake, for which there is a second, and after rounds in vain the time of
// a handshake: many clients at once must not keep a server busy with what none of them waits for.
func (h *handle) secure(conn net.Conn, to hosts.Server) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(h.ctx, max(dialTimeout, h.handshakeTimeout()))
	defer cancel()
	secured, err := h.session.config.TLS.secure(ctx, conn, to)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("%v: TLS handshake: no answer in time: %w", to, os.ErrDeadlineExceeded)
	}
	return secured, err
}

func (h *handle) handshakeTimeout() time.Duration {
	h.mu.Lock()
	timeout := h.timeout
	h.mu.Unlock()
	return h.plan.HandshakeTimeout(timeout, h.saving())
}
