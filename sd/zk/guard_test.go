package zk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
)

// guarded returns a guard and the server's end of its connection. The pointer
// is to how the handshake ended, once it has.
func guarded(t *testing.T, timeout time.Duration) (*guard, net.Conn, *handshake) {
	client, server := net.Pipe()
	shaken := new(handshake)
	calls := 0
	g := newGuard(client, timeout, func(h handshake) {
		*shaken = h
		if calls++; calls > 1 {
			t.Errorf("handshake: want it told once, have %d times", calls)
		}
	})
	t.Cleanup(func() { g.Close(); server.Close() })
	return g, server, shaken
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

// authenticate reads a connect reply in the steps in which go-zookeeper does,
// with its deadlines.
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

// However a server delays its connect reply, the guard gives up in time, though
// go-zookeeper sets a far deadline for the length, and none for the rest.
func TestHandshakeIsCapped(t *testing.T) {
	const limit = 2 * time.Second
	reply := connectReply(4*time.Second, 1)
	for name, sent := range map[string]int{"nothing": 0, "half a length": 2, "a length": 4, "the beginning": 20, "all but a byte": len(reply) - 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, server, shaken := guarded(t, limit)
				go server.Write(reply[:sent])
				start := time.Now()
				err := authenticate(g)
				if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != limit {
					t.Errorf("want a timeout after %v, have %v after %v", limit, err, took)
				}
				if shaken.refused {
					t.Errorf("handshake: want no refusal, have %+v", shaken)
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
		g, server, shaken := guarded(t, time.Second)
		go server.Write(connectReply(6*time.Second, 0x1234))
		if err := authenticate(g); err != nil {
			t.Fatal(err)
		}
		if want := (handshake{session: 0x1234, timeout: 6 * time.Second}); *shaken != want {
			t.Errorf("handshake: want %+v, have %+v", want, *shaken)
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
	answer := func(b []byte) func(*guard, net.Conn) {
		return func(_ *guard, server net.Conn) { go server.Write(b) }
	}
	for name, c := range map[string]struct {
		happens func(*guard, net.Conn)
		want    handshake // err is compared by its presence
	}{
		"granted":          {answer(connectReply(4*time.Second, 9)), handshake{session: 9, timeout: 4 * time.Second}},
		"expired":          {answer(connectReply(0, 0)), handshake{}},
		"closed":           {func(_ *guard, server net.Conn) { server.Close() }, handshake{refused: true, err: errTest}},
		"timed out":        {func(*guard, net.Conn) {}, handshake{err: errTest}},
		"not ZooKeeper":    {answer([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), handshake{err: errTest}},
		"short":            {answer(frame(make([]byte, 15))), handshake{err: errTest}},
		"no password":      {answer(frame(connectReply(4*time.Second, 9)[4:20])), handshake{err: errTest}},
		"endless password": {answer(frame(slices.Concat(connectReply(4*time.Second, 9)[4:20], word(1<<31-1)))), handshake{err: errTest}},
		"no timeout":       {answer(connectReply(0, 9)), handshake{err: errTest}}, // go-zookeeper's ticker would panic
		"negative timeout": {answer(connectReply(-time.Second, 9)), handshake{err: errTest}},
		"closed here":      {func(g *guard, _ net.Conn) { g.Close() }, handshake{err: errTest}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, server, shaken := guarded(t, time.Minute)
				c.happens(g, server)
				if err := authenticate(g); (err == nil) != (c.want.err == nil) {
					t.Errorf("error: want %v, have %v", c.want.err, err)
				}
				if shaken.err != nil && c.want.err != nil {
					shaken.err = c.want.err
				}
				if *shaken != c.want {
					t.Errorf("handshake: want %+v, have %+v", c.want, *shaken)
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

// sent is a frameReader and replyCheck after a handshake, which wait for the
// reply to a request of the given number.
func sent(opcode uint32) *guard {
	g := newGuard(nil, time.Minute, func(handshake) {})
	g.reader.pass(connectReply(4*time.Second, 9))
	g.replies.sent(request(word(5), opcode, []byte("/go_servers"), nil))
	return g
}

// list is the body of a reply to a getChildren2.
func list(count uint32, names ...string) []byte {
	b := word(count)
	for _, name := range names {
		b = append(append(b, word(uint32(len(name)))...), name...)
	}
	return append(b, make([]byte, 68)...) // the Stat
}

// multi is the body of a reply to a multi; each result is an operation and what
// stands after its header.
func multi(results ...string) []byte {
	var b []byte
	for _, r := range results {
		b = append(b, r[:4]...)
		b = append(b, 0)          // not the end
		b = append(b, 0, 0, 0, 0) // an error code that nobody reads
		b = append(b, r[4:]...)
	}
	return append(append(b, word(1<<32-1)...), 1, 255, 255, 255, 255)
}

// frames are what a server may send after a handshake.
var frames = map[string]struct {
	opcode uint32 // of request 5
	sent   []byte
	bad    string // part of the error; "" if it passes
}{
	"ping":             {opSync, answer(-2, 0), ""},
	"event":            {opSync, answer(-1, 0, list(0)...), ""},
	"an empty list":    {opGetChildren2, answer(5, 0, list(0)...), ""},
	"a list":           {opGetChildren2, answer(5, 0, list(2, alice, bob)...), ""},
	"two replies":      {opGetChildren2, slices.Concat(answer(5, 0, list(1, alice)...), answer(6, 0)), ""},
	"no such node":     {opGetChildren2, answer(5, -101), ""},
	"not a list":       {opSync, answer(5, 0, word(1<<31-1)...), ""},
	"another's list":   {opGetChildren2, answer(6, 0, word(1<<31-1)...), ""},
	"most names":       {opGetChildren2, answer(5, 0, slices.Concat(word(17), make([]byte, 68))...), ""},
	"too many names":   {opGetChildren2, answer(5, 0, slices.Concat(word(18), make([]byte, 68))...), "18 names"},
	"2^31-1 names":     {opGetChildren2, answer(5, 0, list(1<<31-1)...), "2147483647 names"},
	"-1 names":         {opGetChildren2, answer(5, 0, list(1<<32-1)...), "4294967295 names"},
	"-2^31 names":      {opGetChildren2, answer(5, 0, list(1<<31)...), "2147483648 names"},
	"no count":         {opGetChildren2, answer(5, 0), "frame of 16 bytes"},
	"half a count":     {opGetChildren2, answer(5, 0, 0, 0), "frame of 18 bytes"},
	"data":             {opGetData, answer(5, 0, list(0)...), ""},
	"no data":          {opGetData, answer(5, 0, list(1<<32-1)...), ""}, // null
	"endless data":     {opGetData, answer(5, 0, list(1<<31-1)...), "2147483647 bytes"},
	"data, no length":  {opGetData, answer(5, 0), "frame of 16 bytes"},
	"a takeover":       {opMulti, answer(5, 0, multi("\x00\x00\x00\x02", "\x00\x00\x00\x01\x00\x00\x00\x01/")...), ""},
	"failed takeover":  {opMulti, answer(5, 0, multi("\xff\xff\xff\xff\xff\xff\xff\x99", "\xff\xff\xff\xff\xff\xff\xff\x99")...), ""},
	"refused multi":    {opMulti, answer(5, -102), ""},
	"multi, no end":    {opMulti, answer(5, 0, slices.Concat(word(2), []byte{0}, word(0))...), errMulti.Error()},
	"multi, a number":  {opMulti, answer(5, 0, word(2)...), errMulti.Error()}, // go-zookeeper panics
	"multi, empty":     {opMulti, answer(5, 0), errMulti.Error()},
	"multi, long path": {opMulti, answer(5, 0, multi("\x00\x00\x00\x01\x7f\xff\xff\xff/")...), errMulti.Error()},
	"multi, no path":   {opMulti, answer(5, 0, slices.Concat(word(1), []byte{0}, word(0), []byte("\x00\x00"))...), "operation 1"},
	"multi, no error":  {opMulti, answer(5, 0, slices.Concat(word(1<<32-1), []byte{0}, word(0))...), errMulti.Error()},
	"multi, setData":   {opMulti, answer(5, 0, multi("\x00\x00\x00\x05")...), "operation 5"},
	"multi, too long":  {opMulti, answer(5, 0, make([]byte, 5000)...), errMulti.Error()},
	"short":            {opSync, frame(make([]byte, 15)), "frame of 15 bytes"},
	"empty":            {opSync, frame(nil), "frame of 0 bytes"},
	"long":             {opSync, word(mostFrame + 1), "frame of 16777217 bytes"},
	"huge":             {opSync, word(1<<32 - 1), "frame of"},
	"a bad second one": {opSync, slices.Concat(answer(5, 0), word(3)), "frame of 3 bytes"},
}

// Every frame is judged alike, however the stream is cut in two.
func TestFrames(t *testing.T) {
	for name, c := range frames {
		t.Run(name, func(t *testing.T) {
			for at := range len(c.sent) {
				g := sent(c.opcode)
				err := errors.Join(g.reader.pass(c.sent[:at]), g.reader.pass(c.sent[at:]))
				if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
					t.Fatalf("cut at %d: want %q, have %v", at, c.bad, err)
				}
			}
		})
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

// A server's word that it does not know addWatch is taken for that request only.
func TestNoAddWatch(t *testing.T) {
	for name, c := range map[string]struct {
		opcode uint32
		reply  []byte
		want   bool
	}{
		"an addWatch":      {opAddWatch, answer(5, codeUnimplemented), true},
		"a sync":           {opSync, answer(5, codeUnimplemented), false},
		"another request":  {opAddWatch, answer(6, codeUnimplemented), false},
		"another error":    {opAddWatch, answer(5, -102), false},
		"a watch that was": {opAddWatch, answer(5, 0), false},
	} {
		g := sent(c.opcode)
		if err := g.reader.pass(c.reply); err != nil || g.replies.noAddWatch() != c.want {
			t.Errorf("%s: want %t, have %t, %v", name, c.want, g.replies.noAddWatch(), err)
		}
	}
}

// Requests that were answered are not kept.
func TestReplyCheckForgets(t *testing.T) {
	var c replyCheck
	for xid := range uint32(1000) {
		c.sent(request(word(xid), opGetChildren2, []byte("/"), nil))
		if err := c.received(20, answer(int32(xid), 0, word(0)...)[4:]); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.pending); n != 0 {
		t.Errorf("pending: want none, have %d", n)
	}
}

// FuzzFrameReader sends anything after a handshake, cut into pieces of a given
// size: the verdict does not depend on the pieces.
func FuzzFrameReader(f *testing.F) {
	for _, c := range frames {
		f.Add(c.sent, 3, c.opcode)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece int, opcode uint32) {
		whole, pieces := sent(opcode), sent(opcode)
		want := whole.reader.pass(stream)
		var have error
		for part := range slices.Chunk(stream, max(1, piece%100)) {
			if have = pieces.reader.pass(part); have != nil {
				break
			}
		}
		if (want == nil) != (have == nil) || want != nil && want.Error() != have.Error() {
			t.Errorf("want %v, have %v", want, have)
		}
		if whole.replies.noAddWatch() != pieces.replies.noAddWatch() {
			t.Error("age of the server: depends on the pieces")
		}
	})
}

// FuzzConnectReply sends anything in place of a connect reply.
func FuzzConnectReply(f *testing.F) {
	f.Add(connectReply(4*time.Second, 9), 5)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		var whole, pieces handshake
		a := newGuard(nil, time.Minute, func(h handshake) { whole = h })
		b := newGuard(nil, time.Minute, func(h handshake) { pieces = h })
		want := a.reader.pass(stream)
		var have error
		for part := range slices.Chunk(stream, max(1, piece%100)) {
			if have = b.reader.pass(part); have != nil {
				break
			}
		}
		if (want == nil) != (have == nil) || whole != pieces {
			t.Errorf("want %v %+v, have %v %+v", want, whole, have, pieces)
		}
		if whole.session != 0 && whole.timeout <= 0 {
			t.Errorf("accepted a session of %v", whole.timeout)
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
		"reset":   {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		"timeout": {os.ErrDeadlineExceeded, false},
		"denied":  {sd.ErrDenied, false},
		"auth":    {errUnproved, false},
	} {
		if have := isRefusal(c.err); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

func BenchmarkGuardRead(b *testing.B) {
	g := sent(opSync)
	stream := bytes.Repeat(answer(5, 0, list(1, alice)...), 100)
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		if err := g.reader.pass(stream); err != nil {
			b.Fatal(err)
		}
	}
}
