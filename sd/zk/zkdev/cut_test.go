package zkdev

import (
	"io"
	"testing"
	"testing/synctest"
)

// TestCutAfterReading cuts at every byte of a create: the znode is there when the request came
// whole, else not.
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

// The end of a connection brings no byte, and uses no cut up.
func TestCutWaitsForAByte(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		gone, w := l.join(t, dialTo(s), "gone"), l.join(t, dialTo(s), "w")
		s.CutAfterReading(0)
		gone.nc.Close()
		synctest.Wait()
		if have := w.ping(); have != closed {
			t.Errorf("the next byte: have code %d, want the connection closed", have)
		}
	})
}

// TestCutAfterWriting cuts at every byte of a reply: the request was carried out whatever its
// client hears.
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

// TestCutAmongPipelinedRequests wants the requests before the cut carried out, and none after it,
// however goroutines are scheduled.
func TestCutAmongPipelinedRequests(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w := l.join(t, dialTo(s), "w")
			s.CutAfterWriting(10)
			for n := range 5 {
				w.send(int32(n+1), OpCreate, func(e *encoder) {
					e.create("/"+string(rune('a'+n)),
						"", 0, openACL())
				})
			}
			io.Copy(io.Discard, w.nc)                       // to its end
			if have, _ := s.Children("/"); len(have) != 2 { // a, and zookeeper
				t.Errorf("have %v, want the first create alone", have)
			}
		})
	}
}

// TestRequestsBeforeTheEnd wants what a client has sent carried out though it has hung up.
func TestRequestsBeforeTheEnd(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w := l.join(t, dialTo(s), "w")
			for n := range 5 {
				w.send(int32(n+1), OpCreate, func(e *encoder) {
					e.create("/"+string(rune('a'+n)),
						"", 0, openACL())
				})
			}
			w.nc.Close()
			synctest.Wait()
			if have, _ := s.Children("/"); len(have) != 6 {
				t.Errorf("have %v, want all five", have)
			}
		})
	}
}
