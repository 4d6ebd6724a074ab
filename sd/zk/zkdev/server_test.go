package zkdev

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestServeUntilClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New()
	if have := s.Addr(); have != nil {
		t.Errorf("address before Serve: have %v, want none", have)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	if have, want := word(l.Addr().String(), "ruok"), "imok"; have != want {
		t.Errorf("have %q, want %q", have, want)
	}
	if have, want := s.Addr(), l.Addr(); have != want {
		t.Errorf("address: have %v, want %v", have, want)
	}
	s.Close()
	if err := <-served; err != ErrServerClosed {
		t.Errorf("Serve after Close: have %v, want ErrServerClosed", err)
	}
	if err := s.Serve(l); err != ErrServerClosed {
		t.Errorf("Serve on a closed server: have %v, want ErrServerClosed", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := New()
	defer s.Close()
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("have %v, want net.ErrClosed", err)
	}
	if have := s.Addr(); have != nil {
		t.Errorf("address: have %v, want none", have)
	}
}

func TestStartOnATakenPort(t *testing.T) {
	first, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if second, err := Start(first.Addr().String()); err == nil {
		second.Close()
		t.Error("two servers on one port")
	}
}

func TestDialWithACancelledContext(t *testing.T) {
	s := New()
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Dial(ctx, "tcp", "x"); err != context.Canceled || s.Dials() != 0 {
		t.Errorf("have %v and %d dials, want context.Canceled and none", err, s.Dials())
	}
}

// TestHalfClose sends a word and closes for writing, as "echo ruok | nc" does, and still wants the
// answer.
func TestHalfClose(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "ruok")
	nc.(*net.TCPConn).CloseWrite()
	if have, _ := io.ReadAll(nc); string(have) != "imok" {
		t.Errorf("have %q, want imok", have)
	}
}

// TestFrameLimit sends the longest frame that is allowed, and one that is longer.
func TestFrameLimit(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		overhead := len("\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x02/a\x00\x00\x00\x00\x00\x00\x00\x00")
		s.Create("/a", nil, 0)
		data := string(make([]byte, maxFrame-overhead))
		if code := w.setData("/a", data, -1); code != OK {
			t.Errorf("the longest frame: have code %d, want OK", code)
		}
		go w.send(1, OpSetData, func(e *encoder) { e.setData("/a", data+"x", -1) })
		w.isClosed()
		if _, stat, _ := s.Get("/a"); stat.Version != 1 {
			t.Errorf("version: have %d, want 1", stat.Version)
		}
	})
}

// TestDeafClient has one client ask for much and read nothing: others are served, and the deaf one
// keeps its session as long as it asks.
func TestDeafClient(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		deaf, other := l.join(t, dialTo(s), "deaf"), l.join(t, dialTo(s), "other")
		for range 5 {
			for range 500 {
				deaf.send(1, OpGetChildren, func(e *encoder) { e.string("/"); e.bool(true) })
			}
			if code := other.create("/n-", "", 2); code != OK {
				t.Errorf("the other: have code %d, want OK", code)
			}
			time.Sleep(3 * time.Second)
		}
		if have := len(s.Sessions()); have != 2 {
			t.Errorf("sessions: have %d, want 2", have)
		}
	})
}

// TestPipelining sends many requests at once and wants the replies in their order.
func TestPipelining(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		const n = 300
		go func() {
			for i := range int32(n) {
				w.send(i, OpCreate2, func(e *encoder) { e.create("/n-", "", 2, openACL()) })
			}
		}()
		for i := range int32(n) {
			d := w.read()
			if xid, zxid := d.int32(), d.int64(); xid != i || zxid != int64(i)+2 {
				t.Fatalf("have reply %d with zxid %d, want %d with %d", xid, zxid, i, i+2)
			}
		}
	})
}
