package zkdev

import (
	"fmt"
	"testing"
)

// benchWire is a client that keeps no transcript.
func benchWire(b *testing.B, s *Server) *wire {
	b.Helper()
	nc, err := dialTo(s)()
	if err != nil {
		b.Fatal(err)
	}
	w := &wire{name: "bench", nc: nc, log: newTranscript()}
	w.connect(connectRequest{timeout: 40000})
	return w
}

func (w *wire) exchange(b *testing.B, op Op, fill func(*encoder)) {
	w.send(1, op, fill)
	if w.read() == nil {
		b.Fatal("the connection ended")
	}
}

func BenchmarkCreateDelete(b *testing.B) {
	s := New()
	defer s.Close()
	w := benchWire(b, s)
	for b.Loop() {
		w.exchange(b, OpCreate, func(e *encoder) { e.create("/a", "", 1, openACL()) })
		w.exchange(b, OpDelete, func(e *encoder) { e.versioned("/a", -1) })
	}
}

func BenchmarkGetChildren(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := New()
			defer s.Close()
			for i := range n {
				s.Create(fmt.Sprintf("/127.0.0.1:%05d", i), nil, 0)
			}
			w := benchWire(b, s)
			for b.Loop() {
				w.exchange(b, OpGetChildren2, func(e *encoder) { e.string("/"); e.bool(false) })
			}
		})
	}
}

// BenchmarkFanOut makes one change that a hundred clients watch, and waits until all have heard of
// it.
func BenchmarkFanOut(b *testing.B) {
	s := New()
	defer s.Close()
	var watchers []*wire
	for range 100 {
		w := benchWire(b, s)
		w.exchange(b, OpAddWatch, func(e *encoder) { e.versioned("/", 1) })
		watchers = append(watchers, w)
	}
	s.Create("/a", nil, 0)
	for b.Loop() {
		s.SetData("/a", nil)
		for _, w := range watchers {
			w.read()
		}
	}
}
