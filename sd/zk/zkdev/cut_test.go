package zkdev

import "testing"

// TestCutAfterReading cuts at every byte of a create: the znode is there when
// the request came whole, else not.
func TestCutAfterReading(t *testing.T) {
	whole := newFrame()
	whole.int64(0)
	whole.create("/a", "", 0, openACL())
	size := len(whole.frame())
	for n := range size + 1 {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w := l.join(t, dialTo(s), "w")
			s.CutAfterReading(n)
			code, want := w.create("/a", "", 0), closed
			if n == size {
				want = OK
			}
			if _, _, err := s.Get("/a"); code != want || (err == nil) != (n == size) {
				t.Errorf("cut after %d of %d bytes: have code %d, error %v", n, size, code, err)
			}
			w.isClosed()
			if again, ok := l.rejoin(t, s, w); !ok || again.ping() != OK {
				t.Errorf("cut after %d bytes: the next connection is cut too", n)
			}
		})
	}
}

// TestCutAfterWriting cuts at every byte of a reply: the request was carried
// out whatever its client hears.
func TestCutAfterWriting(t *testing.T) {
	reply := newReply()
	reply.string("/a")
	size := len(reply.seal(1, 1, OK))
	for n := range size + 1 {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w, other := l.join(t, dialTo(s), "w"), l.join(t, dialTo(s), "other")
			s.CutAfterWriting(n, w.session)
			other.ping()
			w.send(1, OpCreate, func(e *encoder) { e.create("/a", "", 0, openACL()) })
			heard := 0
			for b := make([]byte, 1); ; heard++ {
				if _, err := w.nc.Read(b); err != nil {
					break
				}
			}
			if heard != n {
				t.Errorf("cut after %d bytes: have %d", n, heard)
			}
			if _, _, err := s.Get("/a"); err != nil {
				t.Errorf("cut after %d bytes: the create is lost: %v", n, err)
			}
		})
	}
}
