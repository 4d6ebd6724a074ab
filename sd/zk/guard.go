package zk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"example.com/daytime/sd"
)

const (
	// leastFrame is the reply header. Go-zookeeper slices a shorter frame
	// without looking, which ends the process.
	leastFrame = 16
	// mostFrame bounds what a reply may allocate: 600,000 names of 21 bytes.
	mostFrame = 16 << 20
	// mostConnectFrame is well above the 37 bytes of a connect reply.
	mostConnectFrame = 256
)

// A guard is a connection to ZooKeeper that keeps go-zookeeper v1.0.4 out of
// trouble it cannot get out of by itself:
//
//   - It waits up to 6.67 session timeouts for a connect reply
//     (https://github.com/go-zookeeper/zk/issues/79). The guard caps that.
//   - A write error during re-authentication blocks it for ever
//     (https://github.com/go-zookeeper/zk/pull/163), and otherwise surfaces as
//     one more kind of error. The guard closes the socket and reports nothing:
//     the reader finds out.
//   - A frame that is short, or that announces a vector longer than itself, or
//     a session without a timeout, panics or exhausts memory. The guard closes
//     the connection.
//   - It has no persistent watches, and trouble with the others. The guard asks
//     for both (see watch.go).
//
// It also learns from the connect reply what go-zookeeper does not tell.
type guard struct {
	net.Conn
	handshakeBy time.Time
	settled     func(handshake) // called once, by Read or Close

	once    sync.Once
	reader  frameReader
	replies replyCheck
}

// A handshake is how an attempt to connect ended.
type handshake struct {
	session int64         // 0: the session has expired, or err
	timeout time.Duration // as negotiated
	refused bool          // the server closed the connection instead of an answer
	err     error
}

func newGuard(conn net.Conn, handshakeTimeout time.Duration, settled func(handshake)) *guard {
	g := &guard{Conn: conn, handshakeBy: time.Now().Add(handshakeTimeout), settled: settled}
	g.reader.check = g.checkFrame
	return g
}

// SetReadDeadline sets the deadline that go-zookeeper asks for, but never one
// after the end of the handshake while that is under way.
func (g *guard) SetReadDeadline(t time.Time) error {
	if !g.reader.seen && (t.IsZero() || t.After(g.handshakeBy)) {
		t = g.handshakeBy
	}
	return g.Conn.SetReadDeadline(t)
}

// Read checks each frame before go-zookeeper gets to see it as a whole.
func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if bad := g.reader.pass(b[:n]); bad != nil {
		g.replies.refuse(bad)
		g.Conn.Close()
		g.settle(handshake{err: bad})
		return 0, bad
	}
	if err != nil {
		g.settle(handshake{err: err, refused: isRefusal(err)})
	}
	return n, err
}

// Write sends one request. It never reports an error.
func (g *guard) Write(b []byte) (int, error) {
	out := unmark(b)
	g.replies.sent(out)
	if _, err := g.Conn.Write(out); err != nil {
		g.settle(handshake{err: err, refused: isRefusal(err)})
		g.Conn.Close()
	}
	return len(b), nil
}

// Close closes the connection; a handshake that was under way has failed.
func (g *guard) Close() error {
	g.settle(handshake{err: net.ErrClosed})
	return g.Conn.Close()
}

func (g *guard) settle(h handshake) { g.once.Do(func() { g.settled(h) }) }

// checkFrame looks at the beginning of one frame: all of it, or frameHead bytes.
func (g *guard) checkFrame(first bool, size int, head []byte) error {
	if !first {
		return g.replies.received(size, head)
	}
	if len(head) < 20 {
		return fmt.Errorf("connect reply of %d bytes", size)
	}
	h := handshake{
		timeout: time.Duration(int32(binary.BigEndian.Uint32(head[4:]))) * time.Millisecond,
		session: int64(binary.BigEndian.Uint64(head[8:])),
	}
	password := binary.BigEndian.Uint32(head[16:])
	if int64(password) > int64(size) || h.session != 0 && h.timeout <= 0 {
		return fmt.Errorf("connect reply with a timeout of %v and a password of %d bytes", h.timeout, password)
	}
	g.settle(h)
	return nil
}

// frameHead is how much of a frame the guard looks at: all of what is checked
// to its end, which is the reply to a multi with two operations.
const frameHead = 4096

// A frameReader follows the frames in a stream of bytes.
type frameReader struct {
	check func(first bool, size int, head []byte) error
	seen  bool // the first frame has been checked
	size  int  // of the frame under way
	left  int  // bytes of it to come
	head  [frameHead]byte
	have  int     // bytes of head, or of pre while there is no frame
	in    bool    // a frame is under way
	pre   [4]byte // the length before it
}

// pass looks at the next bytes of the stream.
func (r *frameReader) pass(b []byte) error {
	for len(b) > 0 {
		if !r.in {
			n := copy(r.pre[r.have:], b)
			b, r.have = b[n:], r.have+n
			if r.have < len(r.pre) {
				return nil
			}
			if err := r.begin(int(binary.BigEndian.Uint32(r.pre[:]))); err != nil {
				return err
			}
			continue
		}
		n := min(len(b), r.left)
		if r.have < frameHead {
			before := r.have
			r.have += copy(r.head[r.have:], b[:n])
			if before < r.have && r.have == min(frameHead, r.size) {
				if err := r.check(!r.seen, r.size, r.head[:r.have]); err != nil {
					return err
				}
				r.seen = true
			}
		}
		b, r.left = b[n:], r.left-n
		if r.left == 0 {
			r.in, r.have = false, 0
		}
	}
	return nil
}

// begin opens a frame of size bytes.
func (r *frameReader) begin(size int) error {
	most := mostFrame
	if !r.seen {
		most = mostConnectFrame
	}
	switch {
	case size > most && !r.seen:
		return fmt.Errorf("frame of %d bytes in place of a connect reply: want a ZooKeeper", size)
	case size < leastFrame:
		return fmt.Errorf("frame of %d bytes: want %d at least", size, leastFrame)
	case size > most:
		return fmt.Errorf("frame of %d bytes: %w, which is %d", size, errTooLong, most)
	}
	r.in, r.size, r.left, r.have = true, size, size, 0
	return nil
}

// isRefusal reports whether the other side closed the connection without a
// word, rather than time having run out, or the reason being known.
func isRefusal(err error) bool {
	if errors.Is(err, sd.ErrDenied) || errors.Is(err, errUnproved) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
