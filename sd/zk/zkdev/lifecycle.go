package zkdev

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Start listens on a TCP address and serves there until Close. A port that is taken is an error. A
// listener that fails later is not reported; Serve reports it.
func Start(addr string, options ...Option) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := New(options...)
	s.addrs = []string{l.Addr().String()}
	s.listeners[l] = struct{}{}
	s.wg.Go(func() { s.Serve(l) })
	return s, nil
}

// Addr returns the address of a listener that is being served, or nil.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		return l.Addr()
	}
	return nil
}

// acceptPause is how long Serve waits for descriptors, and ZooKeeper does.
const acceptPause = 10 * time.Millisecond

// Serve accepts connections until the listener fails, or Stop or Close is called; then it returns
// ErrServerClosed. A lack of file descriptors is waited out. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrServerClosed
	}
	for {
		nc, err := l.Accept()
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			time.Sleep(acceptPause)
		case err != nil:
			return s.serveError(l, err)
		case !s.start(nc):
			nc.Close()
		}
	}
}

// listen takes a listener over, for Stop and Close to find.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stopped {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

// serveError tells a listener that this server has closed from one that failed.
func (s *Server) serveError(l net.Listener, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, failed := s.listeners[l]
	delete(s.listeners, l)
	if !failed {
		return ErrServerClosed
	}
	return err
}

// Stop shuts the server down as an operator would who means to start it again: it closes all
// listeners and connections and returns when their goroutines have ended. What a ZooKeeper has on
// its disk stays: the tree with its zxid, and the sessions, none of which expires meanwhile.
// Watches are gone. Stopping a server that is stopped does nothing.
func (s *Server) Stop() {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock()
	s.stopped = true
	s.shut()
	s.mu.Unlock()
	s.wg.Wait()
}

// Restart serves again after Stop, at the addresses where Start listened; a listener that was given
// to Serve has to be given again. Every session has its whole timeout before it, as after the
// restart of a ZooKeeper. A port that is taken meanwhile is an error, and the server remains
// stopped. Restarting a server that runs does nothing.
func (s *Server) Restart() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrServerClosed
	case !s.stopped:
		return nil
	}
	list, err := listenAt(s.addrs)
	if err != nil {
		return fmt.Errorf("zkdev: restart: %w", err)
	}
	s.stopped = false
	for _, l := range list {
		s.listeners[l] = struct{}{}
		s.wg.Go(func() { s.Serve(l) })
	}
	for _, sess := range s.sessions {
		s.cancel(sess.timer)
		sess.timer = nil
		s.touch(sess)
	}
	s.armReaper()
	return nil
}

// listenAt listens at all addresses or at none.
func listenAt(addrs []string) ([]net.Listener, error) {
	var list []net.Listener
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			for _, open := range list {
				open.Close()
			}
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// Close ends all listeners, connections and sessions, and returns when their goroutines have ended.
// It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.shut()
	clear(s.sessions)
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// shut ends everything that runs, and waits for nothing.
func (s *Server) shut() {
	for l := range s.listeners {
		l.Close()
	}
	clear(s.listeners)
	for _, c := range s.conns {
		s.drop(c)
	}
	for _, sess := range s.sessions {
		s.cancel(sess.timer)
	}
	s.cancel(s.reaper)
	s.reaper = nil
}
