package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

const (
	// minFrame is the reply header. Go-zookeeper slices a shorter frame without looking, which ends
	// the process.
	minFrame = 16
	// MaxFrame bounds what a reply may allocate: 600,000 names of 21 bytes.
	MaxFrame = 16 << 20
	// maxConnectFrame is well above the 37 bytes of a connect reply.
	maxConnectFrame = 256
	// frameHead is how much of a frame is looked at: all of what is checked to its end, which is
	// the reply to a multi with two operations.
	frameHead = 4096
	// minProgress is how many bytes of a long frame give it more time to arrive. Ping replies, which
	// are what comes in place of the rest of a frame whose length is wrong, are far less.
	minProgress = 4 << 10
)

// A Guard is a connection to ZooKeeper that keeps go-zookeeper v1.0.4 out of trouble it cannot get
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
//     server that answers nothing else (see Requests).
//   - A frame that is short, or that announces a vector longer than itself, or a session without a
//     timeout, panics or exhausts memory. The guard closes the connection.
//   - It has no persistent watches and no multiRead, and trouble with the other watches. The guard
//     asks for all of them (see marks.go).
//
// It also learns from the connect reply what go-zookeeper does not tell.
type Guard struct {
	net.Conn
	handshakeBy time.Time
	onHandshake func(Handshake)        // called once, by Read, Write or Close
	Requests    *Requests              // under way
	LongList    func(size int64) error // the error for a list of over MaxFrame; TooLong by default
	once        sync.Once
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

// A Handshake is how an attempt to connect ended.
type Handshake struct {
	Session int64         // 0: the session has expired, or Err
	Timeout time.Duration // as negotiated
	Refused bool          // the server closed the connection instead of an answer
	Err     error
}

// NewGuard returns a Guard around conn. The handshake has that time from now, and onHandshake is
// called once when it has ended, by Read, Write or Close.
func NewGuard(conn net.Conn, handshakeTimeout time.Duration, onHandshake func(Handshake)) *Guard {
	g := &Guard{
		Conn:        conn,
		handshakeBy: time.Now().Add(handshakeTimeout),
		onHandshake: onHandshake,
		LongList:    TooLong,
		Requests:    NewRequests(),
	}
	g.in = bufio.NewReaderSize(source{g}, 4+frameHead)
	return g
}

// SetReadDeadline sets the deadline that go-zookeeper asks for, but never one after the end of the
// Handshake while that is under way.
func (g *Guard) SetReadDeadline(t time.Time) error {
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
type source struct{ *Guard }

func (s source) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if s.arrived += n; s.arrived >= minProgress && s.readTimeout > 0 {
		s.arrived = 0
		s.Conn.SetReadDeadline(time.Now().Add(s.readTimeout))
	}
	return n, err
}

// Read hands a frame on once its beginning has been checked.
func (g *Guard) Read(b []byte) (int, error) {
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
		g.Requests.heard() // nothing else could come meanwhile
	}
	return n, err
}

// nextFrame checks the next frame. A bad one closes the connection.
func (g *Guard) nextFrame() error {
	bad, err := g.inspect()
	switch {
	case bad != nil:
		g.Requests.condemn(bad)
		g.Conn.Close()
		g.endHandshake(Handshake{Err: bad})
		return bad
	case err != nil:
		g.endHandshake(Handshake{Err: err, Refused: IsRefusal(err)})
	}
	return err
}

// inspect reads the beginning of a frame. It returns what is wrong with it, or an error of the
// connection.
func (g *Guard) inspect() (bad, err error) {
	if bad := g.Requests.Condemned(); bad != nil { // the last frame said so
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
	if g.Requests.reading() {
		head, err := g.in.Peek(4 + minFrame)
		if err != nil {
			return nil, err
		}
		if read := g.Requests.multiReadOf(int32(binary.BigEndian.Uint32(head[4:]))); read != nil {
			return nil, g.divert(read, size)
		}
	}
	if size > MaxFrame {
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
func (g *Guard) tooLong(size int64) (bad, err error) {
	if g.Requests.isPending(opGetChildren2) {
		head, err := g.in.Peek(4 + minFrame)
		if err != nil {
			return nil, err
		}
		if g.Requests.isList(head[4:]) {
			return g.LongList(size), nil
		}
	}
	return fmt.Errorf("%w of %d bytes: want %d at most", ErrBadFrame, size, MaxFrame), nil
}

// checkSize checks the length of a frame.
func (g *Guard) checkSize(size int64) error {
	switch {
	case size > maxConnectFrame && !g.greeted:
		return noConnectReply(size)
	case size < minFrame:
		return fmt.Errorf("%w of %d bytes: want %d at least", ErrBadFrame, size, minFrame)
	case size > math.MaxInt32: // the sender's is negative
		return fmt.Errorf("%w of %d bytes: want %d at most", ErrBadFrame, size, MaxFrame)
	}
	return nil
}

// divert takes the reply to a multiRead out of the stream. The library gets its header, with an
// empty path behind it. One that is too long is skipped.
func (g *Guard) divert(read *MultiRead, size int64) error {
	head := make([]byte, 4+minFrame, 4+minFrame+4)
	if _, err := io.ReadFull(g.in, head); err != nil {
		return err
	}
	if err := g.Requests.received(int(size), head[4:]); err != nil {
		return err
	}
	if size > MaxFrame {
		if _, err := io.CopyN(io.Discard, g.in, size-minFrame); err != nil {
			return err
		}
		read.answer(nil, TooLong(size))
	} else {
		body := make([]byte, size-minFrame)
		if _, err := io.ReadFull(g.in, body); err != nil {
			return err
		}
		read.answer(body, nil)
	}
	g.Requests.heard()
	g.ready = append(head, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(g.ready, minFrame+4)
	return nil
}

// Write sends one request. It never reports an error.
func (g *Guard) Write(b []byte) (int, error) {
	out := g.Requests.unmark(b)
	if g.asked {
		g.Requests.sent(out)
	}
	g.asked = true
	if _, err := g.Conn.Write(out); err != nil {
		g.endHandshake(Handshake{Err: err, Refused: IsRefusal(err)})
		g.Conn.Close()
	}
	return len(b), nil
}

// Close closes the connection; a handshake that was under way has failed.
func (g *Guard) Close() error {
	g.endHandshake(Handshake{Err: net.ErrClosed})
	return g.Conn.Close()
}

// endHandshake tells how the handshake ended, once, and reports whether this is how.
func (g *Guard) endHandshake(h Handshake) (isFirst bool) {
	g.once.Do(func() {
		isFirst = true
		g.onHandshake(h)
	})
	return isFirst
}

// checkFrame looks at the beginning of one frame: all of it, or frameHead bytes.
func (g *Guard) checkFrame(size int, head []byte) error {
	if g.greeted {
		return g.Requests.received(size, head)
	}
	if len(head) < 20 {
		return fmt.Errorf("%w of %d bytes in place of a connect reply", ErrBadFrame, size)
	}
	h := Handshake{
		Timeout: time.Duration(int32(binary.BigEndian.Uint32(head[4:]))) * time.Millisecond,
		Session: int64(binary.BigEndian.Uint64(head[8:])),
	}
	password := binary.BigEndian.Uint32(head[16:])
	if int64(password) > int64(size) || h.Session != 0 && h.Timeout <= 0 {
		return fmt.Errorf("%w: connect reply with a timeout of %v and a password of %d bytes",
			ErrBadFrame, h.Timeout, password)
	}
	g.greeted = true
	g.Requests.begin(h.Timeout)
	if !g.endHandshake(h) { // it was closed meanwhile, and has been told to have failed
		return net.ErrClosed
	}
	return nil
}
