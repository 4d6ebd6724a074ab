package session

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// minFrame is the reply header. Go-zookeeper slices a shorter frame without looking, which ends
	// the process.
	minFrame = 16
	// maxFrame bounds what a reply may allocate: 600,000 names of 21 bytes.
	maxFrame = 16 << 20
	// maxConnectFrame is well above the 37 bytes of a connect reply.
	maxConnectFrame = 256
	// frameHead is how much of a frame is looked at: all of what is checked to its end, which is
	// the reply to a multi with two operations.
	frameHead = 4096
	// minProgress is how many bytes of a long frame give it more time to arrive. Ping replies, which
	// are what comes in place of the rest of a frame whose length is wrong, are far less.
	minProgress = 4 << 10
)

// A guard is a connection to ZooKeeper that keeps go-zookeeper v1.0.4 out of trouble it cannot get
// out of by itself:
//
//   - It waits up to 6.67 session timeouts for a connect reply
//     (https://github.com/go-zookeeper/zk/issues/79). The guard caps that.
//   - A write error during re-authentication blocks it for ever
//     (https://github.com/go-zookeeper/zk/pull/163), and otherwise surfaces as one more kind of
//     error. The guard closes the socket and reports nothing: the reader finds out.
//   - It gives a frame two thirds of the session timeout to arrive, whatever its length. The guard
//     lets a long list go on as long as it is arriving.
//   - It waits for ever for a reply while pings are answered. The guard closes the connection to a
//     server that answers nothing else (see replies).
//   - A frame that is short, or that announces a vector longer than itself, or a session without a
//     timeout, panics or exhausts memory. The guard closes the connection.
//   - It has no persistent watches and no multiRead, and trouble with the other watches. The guard
//     asks for all of them (see watch.go).
//
// It also learns from the connect reply what go-zookeeper does not tell.
type guard struct {
	net.Conn
	handshakeBy time.Time
	onHandshake func(handshake) // called once, by Read or Close
	longList    func(size int64) error
	once        sync.Once
	replies     *replies
	asked       bool // the connect request was sent

	// The library reads in one goroutine at a time.
	readTimeout time.Duration // of the frame under way; 0: none
	arrived     int           // bytes since that began
	in          *bufio.Reader
	greeted     bool   // the connect reply has been checked
	left        int    // bytes of the frame under way that are to be handed on from in
	long        bool   // that frame is longer than frameHead
	ready       []byte // what is handed on before them
}

// A handshake is how an attempt to connect ended.
type handshake struct {
	session int64         // 0: the session has expired, or err
	timeout time.Duration // as negotiated
	refused bool          // the server closed the connection instead of an answer
	err     error
}

func newGuard(conn net.Conn, handshakeTimeout time.Duration, onHandshake func(handshake)) *guard {
	g := &guard{
		Conn:        conn,
		handshakeBy: time.Now().Add(handshakeTimeout),
		onHandshake: onHandshake,
		longList:    tooLong,
		replies:     newReplies(),
	}
	g.in = bufio.NewReaderSize(source{g}, 4+frameHead)
	return g
}

// SetReadDeadline sets the deadline that go-zookeeper asks for, but never one after the end of the
// handshake while that is under way.
func (g *guard) SetReadDeadline(t time.Time) error {
	g.readTimeout, g.arrived = 0, 0
	switch {
	case !g.greeted && (t.IsZero() || t.After(g.handshakeBy)):
		t = g.handshakeBy
	case g.greeted && !t.IsZero():
		g.readTimeout = time.Until(t)
	}
	return g.Conn.SetReadDeadline(t)
}

// A source is the connection below a guard. Bytes that arrive give the rest of a frame more time.
type source struct{ *guard }

func (s source) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if s.arrived += n; s.arrived >= minProgress && s.readTimeout > 0 {
		s.arrived = 0
		s.Conn.SetReadDeadline(time.Now().Add(s.readTimeout))
	}
	return n, err
}

// Read hands a frame on once its beginning has been checked.
func (g *guard) Read(b []byte) (int, error) {
	if len(g.ready) == 0 && g.left == 0 {
		if err := g.nextFrame(); err != nil {
			return 0, err
		}
	}
	if len(g.ready) > 0 {
		n := copy(b, g.ready)
		g.ready = g.ready[n:]
		return n, nil
	}
	n, err := g.in.Read(b[:min(len(b), g.left)])
	if g.left -= n; g.left == 0 && g.long {
		g.replies.heard() // nothing else could come meanwhile
	}
	return n, err
}

// nextFrame checks the next frame. A bad one closes the connection.
func (g *guard) nextFrame() error {
	bad, err := g.inspect()
	switch {
	case bad != nil:
		g.replies.refuse(bad)
		g.Conn.Close()
		g.settle(handshake{err: bad})
		return bad
	case err != nil:
		g.settle(handshake{err: err, refused: isRefusal(err)})
	}
	return err
}

// inspect reads the beginning of a frame. It returns what is wrong with it, or an error of the
// connection.
func (g *guard) inspect() (bad, err error) {
	if bad := g.replies.refusal(); bad != nil { // the last frame said so
		return bad, nil
	}
	prefix, err := g.in.Peek(4)
	if err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(prefix))
	if bad := g.checkSize(size); bad != nil {
		return bad, nil
	}
	if g.replies.reading() {
		head, err := g.in.Peek(4 + minFrame)
		if err != nil {
			return nil, err
		}
		if read := g.replies.multiReadOf(int32(binary.BigEndian.Uint32(head[4:]))); read != nil {
			return nil, g.divert(read, size)
		}
	}
	if size > maxFrame {
		return g.tooLong(size)
	}
	head, err := g.in.Peek(4 + int(min(size, frameHead)))
	if err != nil {
		return nil, err
	}
	if bad := g.checkFrame(int(size), head[4:]); bad != nil {
		return bad, nil
	}
	g.left, g.long = 4+int(size), size > frameHead
	return nil, nil
}

// tooLong tells what is wrong with a frame of more than is accepted. Only a list can be so long.
func (g *guard) tooLong(size int64) (bad, err error) {
	if g.replies.isPending(opGetChildren2) {
		head, err := g.in.Peek(4 + minFrame)
		if err != nil {
			return nil, err
		}
		if g.replies.isList(head[4:]) {
			return g.longList(size), nil
		}
	}
	return fmt.Errorf("%w of %d bytes: want %d at most", ErrBadFrame, size, maxFrame), nil
}

// checkSize checks the length of a frame.
func (g *guard) checkSize(size int64) error {
	switch {
	case size > maxConnectFrame && !g.greeted:
		return noConnectReply(size)
	case size < minFrame:
		return fmt.Errorf("%w of %d bytes: want %d at least", ErrBadFrame, size, minFrame)
	}
	return nil
}

// divert takes the reply to a multiRead out of the stream. The library gets its header, with an
// empty path behind it. One that is too long is skipped.
func (g *guard) divert(read *multiRead, size int64) error {
	head := make([]byte, 4+minFrame, 4+minFrame+4)
	if _, err := io.ReadFull(g.in, head); err != nil {
		return err
	}
	if err := g.replies.received(int(size), head[4:]); err != nil {
		return err
	}
	if size > maxFrame {
		if _, err := io.CopyN(io.Discard, g.in, size-minFrame); err != nil {
			return err
		}
		read.answer(nil, tooLong(size))
	} else {
		body := make([]byte, size-minFrame)
		if _, err := io.ReadFull(g.in, body); err != nil {
			return err
		}
		read.answer(body, nil)
	}
	g.replies.heard()
	g.ready = append(head, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(g.ready, minFrame+4)
	return nil
}

// Write sends one request. It never reports an error.
func (g *guard) Write(b []byte) (int, error) {
	out := g.replies.unmark(b)
	if g.asked {
		g.replies.sent(out)
	}
	g.asked = true
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

func (g *guard) settle(h handshake) { g.once.Do(func() { g.onHandshake(h) }) }

// checkFrame looks at the beginning of one frame: all of it, or frameHead bytes.
func (g *guard) checkFrame(size int, head []byte) error {
	if g.greeted {
		return g.replies.received(size, head)
	}
	if len(head) < 20 {
		return fmt.Errorf("%w of %d bytes in place of a connect reply", ErrBadFrame, size)
	}
	h := handshake{
		timeout: time.Duration(int32(binary.BigEndian.Uint32(head[4:]))) * time.Millisecond,
		session: int64(binary.BigEndian.Uint64(head[8:])),
	}
	password := binary.BigEndian.Uint32(head[16:])
	if int64(password) > int64(size) || h.session != 0 && h.timeout <= 0 {
		return fmt.Errorf("%w: connect reply with a timeout of %v and a password of %d bytes",
			ErrBadFrame, h.timeout, password)
	}
	g.greeted = true
	g.replies.begin(h.timeout)
	g.settle(h)
	return nil
}

// isRefusal reports whether the other side closed the connection without a word, rather than time
// having run out, or the reason being known.
func isRefusal(err error) bool {
	if errors.Is(err, ErrDenied) || errors.Is(err, errUnproved) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.ErrClosedPipe)
}
