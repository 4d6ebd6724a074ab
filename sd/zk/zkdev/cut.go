package zkdev

import "net"

// A cut is a number of bytes that may still pass on the connections of some sessions, or of all.
// The connection on which the last of them passes ends there.
type cut struct {
	left int
	selection
}

// pass says how many of n bytes may pass, and whether the connection ends after them. A cut that
// has happened is over. The caller holds the lock.
func (s *Server) pass(c *conn, where func(*faults) **cut, n int) (passed int, end bool) {
	limit := where(&s.faults)
	if *limit == nil || n == 0 || !(*limit).has(c.sessionID()) {
		return n, false
	}
	if n < (*limit).left {
		(*limit).left -= n
		return n, false
	}
	passed = (*limit).left
	*limit = nil
	return passed, true
}

// inward and outward choose one of the two cuts.
func inward(f *faults) **cut  { return &f.in }
func outward(f *faults) **cut { return &f.out }

// metered reads from a connection up to where it is cut.
type metered struct{ c *conn }

// Read drops the bytes after the cut. They were taken off the wire, which the client cannot see.
func (m metered) Read(p []byte) (int, error) {
	n, err := m.c.nc.Read(p)
	s := m.c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	passed, end := s.pass(m.c, inward, n)
	if end {
		return passed, net.ErrClosed
	}
	return n, err
}
