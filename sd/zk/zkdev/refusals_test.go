package zkdev

import (
	"encoding/binary"
	"io"
	"testing"
	"time"
)

// TestFailAll refuses an operation for good, with codes that ZooKeepers and compatible servers have
// been seen to send; the connection stays.
func TestFailAll(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		for _, want := range []Code{SystemError, MarshallingError, Unimplemented, BadArguments,
			-125, 7} {
			s.FailAll(OpAddWatch, want)
			s.FailNext(OpAddWatch, NoAuth)
			first, second, third := w.addWatch("/", 1), w.addWatch("/", 1), w.addWatch("/", 1)
			if first != NoAuth || second != want || third != want {
				t.Errorf("have codes %d, %d, %d, want %d once and then %d",
					first, second, third, NoAuth, want)
			}
		}
		s.FailAll(OpAddWatch, OK)
		if have := w.addWatch("/", 1); have != OK {
			t.Errorf("no longer refused: have code %d, want OK", have)
		}
		if have := s.Sessions()[0].Watches; have != 2 {
			t.Errorf("watches: have %d, want those of the last request alone", have)
		}
	})
}

func TestLackOpsAndCloseOn(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*Server, ...Op)
		want Code
	}{
		"LackOps": {(*Server).LackOps, Unimplemented},
		"CloseOn": {(*Server).CloseOn, closed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *Server, l *transcript) {
				w := l.join(t, dialTo(s), "w")
				test.set(s, OpAddWatch, OpSetData)
				if have := w.create("/a", "", 1); have != OK {
					t.Errorf("another operation: have code %d, want OK", have)
				}
				if have := w.setData("/a", "new", -1); have != test.want {
					t.Errorf("have code %d, want %d", have, test.want)
				}
				w.isClosed()
				again, ok := l.rejoin(t, s, w)
				if data, _, _ := s.Get("/a"); !ok || string(data) != "" {
					t.Errorf("have session %v and data %q, want a session, and nothing done", ok,
						data)
				}
				test.set(s)
				if have := again.setData("/a", "new", -1); have != OK {
					t.Errorf("no longer: have code %d, want OK", have)
				}
			})
		})
	}
}

func TestPingsOnly(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		deaf, other := l.join(t, dialTo(s), "deaf"), l.join(t, dialTo(s), "other")
		deaf.addWatch("/", 1)
		s.PingsOnly(true, deaf.session)
		for range 10 { // twice its timeout
			time.Sleep(deaf.timeout / 5)
			deaf.send(7, OpCreate, func(e *encoder) { e.create("/deaf", "", 0, openACL()) })
			if have := deaf.ping(); have != OK {
				t.Fatalf("ping: have code %d, want OK", have)
			}
			if have := other.ping(); have != OK {
				t.Fatalf("ping of another: have code %d, want OK", have)
			}
		}
		if have := other.create("/heard", "", 0); have != OK {
			t.Errorf("another's create: have code %d, want OK", have)
		}
		deaf.silent(time.Second)
		if _, _, err := s.Get("/deaf"); err != NoNode {
			t.Errorf("a request that was not answered: have %v, want that it was not carried out",
				err)
		}
		s.PingsOnly(true)
		fresh := l.join(t, dialTo(s), "fresh")
		fresh.send(1, OpSync, func(e *encoder) { e.string("/") })
		fresh.silent(time.Second)
		s.PingsOnly(false)
		if have := deaf.create("/deaf", "", 0); have != OK {
			t.Errorf("afterwards: have code %d, want OK", have)
		}
	})
}

// A client that sends requests is heard as well as one that sends pings.
func TestPingsOnlyWithoutPings(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		busy := l.join(t, dialTo(s), "busy")
		s.PingsOnly(true)
		for range 20 { // four times its timeout
			time.Sleep(busy.timeout / 5)
			busy.send(7, OpSync, func(e *encoder) { e.string("/") })
		}
		busy.silent(time.Second)
		if have := len(s.Sessions()); have != 1 {
			t.Errorf("sessions: have %d, want 1", have)
		}
	})
}

func TestBadLengthNext(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		lengths := []int32{-1, 0, 3, 1 << 30}
		w := l.join(t, dialTo(s), "w")
		for _, length := range lengths {
			s.BadLengthNext(OpSync, length)
		}
		for _, want := range lengths {
			w.send(1, OpSync, func(e *encoder) { e.string("/") })
			frame := make([]byte, replyHeader+4+len("/"))
			if _, err := io.ReadFull(w.nc, frame); err != nil {
				t.Fatal(err)
			}
			if have := int32(binary.BigEndian.Uint32(frame)); have != want {
				t.Errorf("length: have %d, want %d", have, want)
			}
		}
		if have := w.ping(); have != OK {
			t.Errorf("afterwards: have code %d, want OK", have)
		}
		s.BadLengthNext(OpConnect, -5)
		raw := l.open(t, dialTo(s), "raw")
		raw.nc.Write(newConnectFrame(4000))
		head := make([]byte, 4)
		if io.ReadFull(raw.nc, head); int32(binary.BigEndian.Uint32(head)) != -5 {
			t.Errorf("handshake: have length %x, want -5", head)
		}
	})
}

// newConnectFrame asks for a new session.
func newConnectFrame(timeout int32) []byte {
	e := newFrame()
	e.int32(0)
	e.int64(0)
	e.int32(timeout)
	e.int64(0)
	e.buffer(make([]byte, 16))
	return e.frame()
}
