package matrix

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// connectReply is the length of ZooKeeper's first frame: its length, version, timeout, session,
// password, read-only.
const connectReply = 4 + 4 + 4 + 8 + 4 + 16

// A tap sits under one backend. It counts dials, and reads the connect replies on their way in:
// they hold the passwords of sessions, with which anybody can close them.
type tap struct {
	mu        sync.Mutex
	dials     int
	passwords map[int64][]byte // by session
	breaks    int              // so many connections fail at their first request
}

func newTap() *tap { return &tap{passwords: map[int64][]byte{}} }

// dial is a zk.DialFunc.
func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	t.mu.Lock()
	t.dials++
	t.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: conn, tap: t}, nil
}

// A tapped connection keeps its first bytes until they are a connect reply. One goroutine reads it,
// and begins to write requests after that.
type tapped struct {
	net.Conn
	tap  *tap
	head []byte
	used bool // a request was sent
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if len(c.head) < connectReply {
		c.head = append(c.head, b[:min(n, connectReply-len(c.head))]...)
		if len(c.head) == connectReply {
			c.tap.take(c.head)
		}
	}
	return n, err
}

func (t *tap) take(reply []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passwords[int64(binary.BigEndian.Uint64(reply[12:]))] = reply[24:]
}

// Write fails, if it should, as it does on a connection that the other side has reset: with the
// first request after the handshake.
func (c *tapped) Write(b []byte) (int, error) {
	if len(c.head) == connectReply && !c.used && c.tap.mayBreak() {
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Conn.Close()
		return 0, syscall.EPIPE
	}
	c.used = c.used || len(c.head) == connectReply
	return c.Conn.Write(b)
}

func (t *tap) mayBreak() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaks--
	return t.breaks >= 0
}

// breakNext makes the next n connections fail at their first request.
func (t *tap) breakNext(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaks = n
}

// dialled is how many connections were tried.
func (t *tap) dialled() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dials
}

// expire ends a session as its owner could: by a connection of its own, to the server at addr, that
// resumes and closes it. For everybody else this is an expiry.
func (t *tap) expire(addr string, session int64) error {
	t.mu.Lock()
	password := t.passwords[session]
	t.mu.Unlock()
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(resume(session, password)); err != nil {
		return err
	}
	reply := make([]byte, connectReply+1)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if have := int64(binary.BigEndian.Uint64(reply[12:])); have != session {
		return fmt.Errorf("want session 0x%x resumed, have 0x%x", session, have)
	}
	closeSession := []byte{0, 0, 0, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xf5} // length, xid, opcode -11
	if _, err := conn.Write(closeSession); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn) // the server answers and hangs up
	return err
}

// resume is a connect request.
func resume(session int64, password []byte) []byte {
	request := binary.BigEndian.AppendUint32(nil, uint32(4+8+4+8+4+len(password)+1))
	request = binary.BigEndian.AppendUint32(request, 0)      // protocol version
	request = binary.BigEndian.AppendUint64(request, 0)      // newest transaction seen
	request = binary.BigEndian.AppendUint32(request, 10_000) // session timeout in ms
	request = binary.BigEndian.AppendUint64(request, uint64(session))
	request = binary.BigEndian.AppendUint32(request, uint32(len(password)))
	return append(append(request, password...), 0)
}
