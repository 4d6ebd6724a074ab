package zkdev

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// A conn is one connection. Three goroutines serve it, all owned by run: one reads frames, one
// handles them in order, one writes. The one that handles never touches the socket, so a client
// that does not read delays no other, and a frozen server still takes in what clients send, as a
// kernel would.
//
// A connection ends in one of two ways. At once: drop takes it out of the tables and closes the
// socket, and what was queued is lost. In order: handle returns, or cutOff is called, and after the
// last packet the writer does the same, so that a client which sees the end finds nothing left of
// it. When a write fails, run takes the connection out of the tables once what came is handled.
type conn struct {
	server *Server
	id     watcher
	nc     net.Conn
	began  time.Time
	inbox  chan frame
	out    outbox
	done   chan struct{} // closed by close
	once   sync.Once

	// The rest is guarded by the server's mutex.
	session        *session // nil before the handshake
	ids            []identity
	stats          connStats
	handshakeTimer *time.Timer // see awaitHandshake
	hung           bool        // accepted while Hang was on: nothing is ever answered
	mute           bool        // nothing is queued any more: the connection is about to be cut
	cut            bool        // nor is anything handled
	caughtUp       bool        // no longer lagging; see Lag
}

// A frame is one request, or one four letter word.
type frame struct {
	word string
	body []byte
}

const (
	// inboxSize is how many frames are taken in from a client before they have been handled.
	inboxSize = 64
	// maxQueued is how many bytes may wait for a client that does not read.
	maxQueued = 64 << 20
	// farewell is how long a client may take for each of the last packets.
	farewell = 10 * time.Second
	// handshakeTimeout is how long a client may take to ask for a session.
	handshakeTimeout = 10 * time.Second
)

// newConn notes the client's address, which is its first proof of identity. A connection in memory
// has none.
func newConn(s *Server, id watcher, nc net.Conn) *conn {
	c := &conn{
		server: s, id: id, nc: nc, began: time.Now(),
		inbox: make(chan frame, inboxSize), done: make(chan struct{}),
	}
	c.out.wake = make(chan struct{}, 1)
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.ids = []identity{{"ip", tcp.AddrPort().Addr().Unmap().String()}}
	}
	return c
}

// run serves the connection to its end.
func (c *conn) run() {
	var wg sync.WaitGroup
	wg.Go(c.read)
	wg.Go(c.write)
	c.handle()
	c.finish()
	wg.Wait()
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.detach(c)
}

// finish ends the connection once what is queued is written, or its client has not taken it in time.
// It never waits.
func (c *conn) finish() {
	c.out.finish()
	c.nc.SetWriteDeadline(time.Now().Add(farewell))
}

// close ends the connection at once; what is still queued is lost. It never waits.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		c.nc.Close()
	})
}

// read takes frames from the wire until the client or the server closes, or the client sends a
// length that no frame can have.
func (c *conn) read() {
	defer close(c.inbox)
	r := bufio.NewReader(metered{c})
	for first := true; ; first = false {
		f, err := readFrame(r, first)
		if err != nil {
			return
		}
		select { // a frame that has been read is handled, even if the connection ends meanwhile
		case c.inbox <- f:
			continue
		default:
		}
		select {
		case c.inbox <- f:
		case <-c.done:
			return
		}
	}
}

// readFrame reads a length and as many bytes. On a fresh connection the four bytes may be a word
// instead.
func readFrame(r io.Reader, first bool) (frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	if first && isWord(string(head[:])) {
		return frame{word: string(head[:])}, nil
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || n > maxFrame {
		return frame{}, errMalformed
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return frame{body: body}, err
}

// handle takes frames from the inbox until there are no more, or one of them ends the connection.
// It takes one at a time and in order: a client may send without waiting, and relies on its replies
// coming in the order of its requests.
func (c *conn) handle() {
	for f := range c.inbox {
		if !c.server.receive(c, f) {
			return
		}
	}
}

// receive handles one frame: a word, or else a handshake and then requests. It returns false when
// the connection is to be closed, once what is queued is written.
func (s *Server) receive(c *conn, f frame) bool {
	if !s.lockAwake(c) {
		return false
	}
	defer s.mu.Unlock()
	c.stats.received++
	s.counters.received++
	switch {
	case c.cut:
		return false
	case c.hung:
		return true
	case f.word != "":
		s.send(c, []byte(s.fourLetter(f.word)))
		return false
	case c.session == nil:
		return s.handshake(c, &decoder{rest: f.body})
	}
	return s.request(c, &decoder{rest: f.body})
}

// lockAwake locks the server when it is not frozen. It gives up when the connection ends first.
func (s *Server) lockAwake(c *conn) bool {
	for {
		s.mu.Lock()
		frozen := s.frozen
		if frozen == nil && s.conns[c.id] == c {
			return true
		}
		s.mu.Unlock()
		if frozen == nil {
			return false
		}
		select {
		case <-frozen:
		case <-c.done:
			return false
		}
	}
}
