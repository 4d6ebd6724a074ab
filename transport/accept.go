package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second

	// refusalTimeout is how long a connection above a limit is drained.
	refusalTimeout = 100 * time.Millisecond

	// queueGrace is how long no connection may come before the accept queue counts as empty. A
	// handshake in a local network, half done when Shutdown begins, is through by then.
	queueGrace = 10 * time.Millisecond

	// queueTimeout ends the emptying where new connections cannot be held off.
	queueTimeout = time.Second
)

// Listen returns a TCP listener for a Server. Any listener serves, but this one makes cheaper
// connections: no keep-alive, for they live less than its first probe, and no Multipath TCP, for a
// line needs no second path.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", addr)
}

// accept is the loop of Serve.
func (s *Server) accept(l net.Listener) error {
	var backoff time.Duration
	var reported time.Time
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			backoff = 0
			s.admit(conn)
		case s.isClosing():
			s.emptyQueue(l)
			return ErrServerClosed
		case errors.Is(err, syscall.ECONNABORTED): // the client left the queue
		case !shortage(err):
			return fmt.Errorf("transport: accept: %w", err)
		default:
			if time.Since(reported) > noticeInterval {
				reported = time.Now()
				s.reports.add(s.ctx, fmt.Errorf("transport: accept, retrying: %w", err))
			}
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			s.sleep(backoff)
		}
	}
}

// shortage reports whether Accept failed for want of a resource. Every error of the kernel is one,
// except those that say that the listener is none.
func shortage(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	return errno != syscall.EBADF && errno != syscall.EINVAL && errno != syscall.ENOTSOCK
}

// sleep waits for d, or until Shutdown.
func (s *Server) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closing:
	}
}

// admit gives a connection its goroutine. When all slots for refusals are taken it blocks, for at
// most refusalTimeout: a flood has to wait in the kernel's queue.
func (s *Server) admit(conn net.Conn) {
	s.busy.Add(1)
	s.metrics.Accepted.Add(1)
	if over := s.limits.admit(conn.RemoteAddr()); over != nil {
		s.metrics.TurnedAway.Add(1)
		s.notices.turnedAway(over).add(event{from: conn.RemoteAddr()})
		s.refusals <- struct{}{}
		go s.refuse(conn)
		return
	}
	select {
	case s.next <- conn:
	default:
		s.busy.Add(1)
		go s.work(conn)
	}
}

// refuse ends a connection above a limit, in a goroutine of its own. The client reads the end
// before any byte, and goes elsewhere; a close without the drain would reset it like a fault of the
// network.
func (s *Server) refuse(conn net.Conn) {
	defer s.done()
	defer func() { <-s.refusals }()
	defer conn.Close()
	buf := s.buffers.Get().(*bytes.Buffer)
	defer s.buffers.Put(buf)
	closeWrite(conn)
	drain(conn, buf, refusalTimeout)
}

// A deadliner is a listener that a deadline can wake, such as a *net.TCPListener.
type deadliner interface{ SetDeadline(time.Time) error }

// wake ends a blocked Accept: by a deadline, which leaves the queue as it is, or by closing where
// there are none.
func wake(l net.Listener) {
	if d, ok := l.(deadliner); ok && d.SetDeadline(time.Unix(1, 0)) == nil {
		return
	}
	l.Close()
}

// emptyQueue serves the connections that are established but not accepted yet, because closing a
// listener resets them.
func (s *Server) emptyQueue(l net.Listener) {
	d, ok := l.(deadliner)
	if !ok {
		return
	}
	holdOff(l)
	for bound := time.Now().Add(queueTimeout); time.Now().Before(bound); {
		grace := time.Now().Add(queueGrace)
		if d.SetDeadline(grace) != nil {
			return
		}
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.admit(conn)
		case shortage(err):
			time.Sleep(minBackoff) // until handlers have given descriptors back
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(grace): // wake's, which came late
		default:
			return
		}
	}
}
