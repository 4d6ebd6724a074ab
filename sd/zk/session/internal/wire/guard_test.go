package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errTest is any failure.
var errTest = errors.New("by test")

// guarded returns a guard and the server's end of its connection. The pointer is to how the
// Handshake ended, once it has.
func guarded(t *testing.T, timeout time.Duration) (*Guard, net.Conn, *Handshake) {
	client, server := net.Pipe()
	shook := new(Handshake)
	calls := 0
	g := NewGuard(client, timeout, func(h Handshake) {
		*shook = h
		if calls++; calls > 1 {
			t.Errorf("handshake: want it told once, have %d times", calls)
		}
	})
	t.Cleanup(func() { g.Close(); server.Close() })
	return g, server, shook
}

// connectReply encodes a server's answer to a handshake.
func connectReply(timeout time.Duration, session int64) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(timeout/time.Millisecond))
	b = binary.BigEndian.AppendUint64(b, uint64(session))
	b = binary.BigEndian.AppendUint32(b, 16)
	b = append(b, make([]byte, 16)...) // the password
	return frame(append(b, 0))         // not read only
}

// answer encodes a reply, with what stands after its header.
func answer(xid, code int32, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(xid))
	b = binary.BigEndian.AppendUint64(b, 7) // zxid
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return frame(append(b, body...))
}

// frame puts the length in front.
func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// word encodes a number.
func word(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// authenticate reads a connect reply in the steps in which go-zookeeper does, with its deadlines.
func authenticate(conn net.Conn) error {
	var head [4]byte
	conn.SetReadDeadline(time.Now().Add(time.Hour))
	_, err := io.ReadFull(conn, head[:])
	conn.SetReadDeadline(time.Time{})
	if err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, binary.BigEndian.Uint32(head[:])))
	return err
}

// However a server delays its connect reply, the guard gives up in time, though go-zookeeper sets a
// far deadline for the length, and none for the rest.
func TestHandshakeIsCapped(t *testing.T) {
	const limit = 2 * time.Second
	reply := connectReply(4*time.Second, 1)
	for name, sent := range map[string]int{"nothing": 0, "half a length": 2, "a length": 4, "the beginning": 20, "all but a byte": len(reply) - 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, server, shook := guarded(t, limit)
				go server.Write(reply[:sent])
				start := time.Now()
				err := authenticate(g)
				if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != limit {
					t.Errorf("want a timeout after %v, have %v after %v", limit, err, took)
				}
				if shook.Refused {
					t.Errorf("handshake: want no refusal, have %+v", shook)
				}
			})
		})
	}
	t.Run("a byte now and then", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g, server, _ := guarded(t, limit)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := range reply {
					time.Sleep(limit / 10)
					server.Write(reply[n : n+1])
				}
			}()
			start := time.Now()
			if err, took := authenticate(g), time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != limit {
				t.Errorf("want a timeout after %v, have %v after %v", limit, err, took)
			}
			server.Close()
			<-done
		})
	})
}

// After the handshake the deadlines are go-zookeeper's own.
func TestDeadlineAfterHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, server, shook := guarded(t, time.Second)
		go server.Write(connectReply(6*time.Second, 0x1234))
		if err := authenticate(g); err != nil {
			t.Fatal(err)
		}
		if want := (Handshake{Session: 0x1234, Timeout: 6 * time.Second}); *shook != want {
			t.Errorf("handshake: want %+v, have %+v", want, *shook)
		}
		start := time.Now()
		g.SetReadDeadline(start.Add(time.Minute))
		_, err := g.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Minute {
			t.Errorf("want a timeout after 1m, have %v after %v", err, took)
		}
	})
}

// What the end of a handshake means.
func TestHandshakeOutcomes(t *testing.T) {
	answer := func(b []byte) func(*Guard, net.Conn) {
		return func(_ *Guard, server net.Conn) { go server.Write(b) }
	}
	for name, c := range map[string]struct {
		happens func(*Guard, net.Conn)
		want    Handshake // err is compared by its presence
	}{
		"granted":          {answer(connectReply(4*time.Second, 9)), Handshake{Session: 9, Timeout: 4 * time.Second}},
		"expired":          {answer(connectReply(0, 0)), Handshake{}},
		"closed":           {func(_ *Guard, server net.Conn) { server.Close() }, Handshake{Refused: true, Err: errTest}},
		"timed out":        {func(*Guard, net.Conn) {}, Handshake{Err: errTest}},
		"not ZooKeeper":    {answer([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), Handshake{Err: errTest}},
		"short":            {answer(frame(make([]byte, 15))), Handshake{Err: errTest}},
		"no password":      {answer(frame(connectReply(4*time.Second, 9)[4:20])), Handshake{Err: errTest}},
		"endless password": {answer(frame(slices.Concat(connectReply(4*time.Second, 9)[4:20], word(1<<31-1)))), Handshake{Err: errTest}},
		"no timeout":       {answer(connectReply(0, 9)), Handshake{Err: errTest}}, // go-zookeeper's ticker would panic
		"negative timeout": {answer(connectReply(-time.Second, 9)), Handshake{Err: errTest}},
		"closed here":      {func(g *Guard, _ net.Conn) { g.Close() }, Handshake{Err: errTest}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, server, shook := guarded(t, time.Minute)
				c.happens(g, server)
				if err := authenticate(g); (err == nil) != (c.want.Err == nil) {
					t.Errorf("error: want %v, have %v", c.want.Err, err)
				}
				if shook.Err != nil && c.want.Err != nil {
					shook.Err = c.want.Err
				}
				if *shook != c.want {
					t.Errorf("handshake: want %+v, have %+v", c.want, *shook)
				}
			})
		})
	}
}

// A failed write is not reported: the socket is closed, and the reader finds out.
func TestWriteErrorIsTheReaders(t *testing.T) {
	g, server, _ := guarded(t, time.Minute)
	server.Close()
	if n, err := g.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("write: want 100 and no error, have %d and %v", n, err)
	}
	if _, err := g.Read(make([]byte, 1)); err == nil {
		t.Error("read: want an error, have none")
	}
	if _, err := g.Conn.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("socket: want it closed, have %v", err)
	}
}

// A bad frame closes the connection, and nothing of it is handed on.
func TestBadFrameCloses(t *testing.T) {
	g, server, _ := guarded(t, time.Minute)
	go func() {
		server.Write(connectReply(4*time.Second, 9))
		server.Write(frame(make([]byte, 15)))
	}()
	if err := authenticate(g); err != nil {
		t.Fatal(err)
	}
	if n, err := g.Read(make([]byte, 100)); n != 0 || err == nil {
		t.Errorf("read: want an error and nothing else, have %d bytes and %v", n, err)
	}
	if _, err := server.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("connection: want it closed, have %v", err)
	}
}

// FuzzConnectReply sends anything in place of a connect reply.
func FuzzConnectReply(f *testing.F) {
	f.Add(connectReply(4*time.Second, 9), 5)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		if len(sent) == 0 {
			return
		}
		var whole, pieces Handshake
		_, want := verdict(NewGuard(&stream{pieces: [][]byte{sent}}, time.Minute, func(h Handshake) { whole = h }))
		_, have := verdict(NewGuard(&stream{pieces: cut(sent, piece%100)}, time.Minute, func(h Handshake) { pieces = h }))
		if (want == nil) != (have == nil) || whole.Session != pieces.Session || whole.Timeout != pieces.Timeout {
			t.Errorf("want %v %+v, have %v %+v", want, whole, have, pieces)
		}
		if whole.Session != 0 && whole.Timeout <= 0 {
			t.Errorf("accepted a session of %v", whole.Timeout)
		}
	})
}

// The reason that a connection ended is told from a refusal.
func TestIsRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"end":     {io.EOF, true},
		"reset":   {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"pipe":    {syscall.EPIPE, true},
		"closed":  {net.ErrClosed, false}, // by us
		"route":   {syscall.EHOSTUNREACH, false},
		"timeout": {os.ErrDeadlineExceeded, false},
		"denied":  {ErrDenied, false},
		"auth":    {errUnproved, false},
	} {
		if have := IsRefusal(c.err); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

func BenchmarkGuardRead(b *testing.B) {
	replies := bytes.Repeat(answer(5, 0, list(1, "192.0.2.1:8897")...), 100)
	s := &stream{}
	g := sent(opSync)
	g.in.Reset(s)
	buf := make([]byte, 1<<16)
	b.SetBytes(int64(len(replies)))
	b.ReportAllocs()
	for b.Loop() {
		s.pieces = [][]byte{replies}
		if _, err := io.ReadFull(g, buf[:len(replies)]); err != nil {
			b.Fatal(err)
		}
	}
}

// A handshake that has been told to have failed, because it was closed, has not succeeded beside
// that, even if the reply had come: there would be a session whose id nobody knows.
func TestClosedBesideTheReply(t *testing.T) {
	g := NewGuard(&stream{pieces: [][]byte{connectReply(time.Second, 7)}}, time.Minute, func(h Handshake) {
		if h.Err == nil {
			t.Errorf("want an error, have %+v", h)
		}
	})
	g.Close()
	if n, err := g.Read(make([]byte, 4)); err == nil {
		t.Errorf("want no reply, have %d bytes", n)
	}
}
