package zkdev

import "net"

// A cut is a number of bytes that may still pass on the connections of some
// sessions, or of all. The connection on which the last of them passes ends
// there.
type cut struct {
	left     int
	sessions []int64
}

// pass says how many of n bytes may pass, and whether the connection ends after
// them. A cut that has happened is over.
func (s *Server) pass(c *conn, where func(*faults) **cut, n int) (passed int, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := where(&s.faults)
	if *limit == nil || !selects((*limit).sessions, c.sessionID()) {
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

// Read drops what came after the cut: to the client it makes no difference that
// it was taken off the wire.
func (m metered) Read(p []byte) (int, error) {
	n, err := m.c.nc.Read(p)
	passed, end := m.c.server.pass(m.c, inward, n)
	if end {
		return passed, net.ErrClosed
	}
	return n, err
}

// transmit writes a frame up to where the connection is cut.
func (c *conn) transmit(frame []byte) error {
	passed, end := c.server.pass(c, outward, len(frame))
	if passed > 0 {
		if _, err := c.nc.Write(frame[:passed]); err != nil {
			return err
		}
	}
	if end {
		return net.ErrClosed
	}
	return nil
}
