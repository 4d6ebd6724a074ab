package transport

import (
	"cmp"
	"container/list"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// handshakeTimeout bounds a handshake, slow or silent clients included.
	handshakeTimeout = 5 * time.Second

	// answeredTimeout is how long a client that was answered may take, where there are too many:
	// some round trips.
	answeredTimeout = 250 * time.Millisecond

	// maxHandshakes is how many handshakes there may be at the same time, in a server of many
	// connections.
	maxHandshakes = 1024

	// minHandshakes is the number for a server of few.
	minHandshakes = 16
)

var (
	errTooManyHandshakes = errors.New("too many at the same time")
	errNoConfiguration   = errors.New("no configuration")
)

// secure returns the connection to talk over: conn itself in a server without TLS, or else what a
// handshake makes of it.
func (s *Server) secure(conn net.Conn) (secured net.Conn, err error) {
	if s.tls == nil {
		return conn, nil
	}
	err = recovered(func() (err error) { // the configuration has functions of its owner's
		secured, err = s.handshake(conn)
		return err
	})
	if err != nil {
		s.metrics.HandshakeFailed.Add(1)
		s.notices.handshakes.add(event{from: conn.RemoteAddr(), err: err})
	}
	return secured, err
}

// handshake has a TLS handshake with the client of conn.
func (s *Server) handshake(conn net.Conn) (net.Conn, error) {
	config, err := s.tls()
	if config == nil {
		return nil, cmp.Or(err, errNoConfiguration)
	}
	if err != nil {
		s.notices.certificates.add(event{err: err})
	}
	deadline := time.Now().Add(min(handshakeTimeout, s.timeout))
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	h := &handshake{Conn: conn, all: &s.handshakes, deadline: deadline}
	if !h.begin() {
		return nil, errTooManyHandshakes
	}
	defer h.end()
	secured := tls.Server(h, h.hook(config))
	return secured, h.explain(secured.Handshake())
}

// Turns have a slot for each handshake that computes.
type turns chan struct{}

func newTurns() turns { return make(turns, max(runtime.GOMAXPROCS(0)-1, 1)) }

// handshakes bounds those of a server: their number, and how many compute at the same time. It must
// be set up by init.
type handshakes struct {
	max       int
	computing turns         // of all servers with the same option
	next      chan struct{} // a slot for the first message that waits for one; see compute

	mu       sync.Mutex // guards what follows, and the places in both lists
	open     int
	silent   list.List // of *handshake: no first message yet, the longest wait first
	answered list.List // of *handshake: the client's second message is awaited
}

// init sets up all but computing for a server of so many connections; zero is any number.
func (a *handshakes) init(conns int) {
	a.max = maxHandshakes
	if conns > 0 {
		a.max = min(max(conns/2, min(conns, minHandshakes)), maxHandshakes)
	}
	a.next = make(chan struct{}, 1)
}

// makeRoom ends a handshake that waits for its client, or reports that none may be ended. A silent
// client has cost nothing and has been told nothing. One that was answered may have sent its
// request already, and would not know that it was not read: it has at least answeredTimeout. The
// caller holds the lock.
func (a *handshakes) makeRoom() bool {
	oldest := a.silent.Front()
	if oldest == nil {
		oldest = a.answered.Front()
		if oldest == nil || time.Since(oldest.Value.(*handshake).since) < answeredTimeout {
			return false
		}
	}
	h := oldest.Value.(*handshake)
	h.goOn()
	h.evicted = true
	h.SetDeadline(time.Unix(1, 0))
	return true
}

// A handshake is the connection below a TLS handshake. Its costly part lies between the client's
// first message, which package tls announces by GetConfigForClient, and the answer, the first
// Write: key exchange and signature. What comes after that may cost as much, between a Read and
// what follows it: the second first message of a client whose key share was of no use, and the
// chain of one that shows a certificate.
//
//	state      begin   first message  bytes      Write     Read      end    makeRoom
//	-          silent  -              -          -         -         -      -
//	silent     -       computing      -          -         -         over   over
//	computing  -       -              -          answered  answered  over   -
//	answered   -       -              computing  answered  -         over   over (*)
//
// (*) after answeredTimeout.
type handshake struct {
	net.Conn
	all       *handshakes
	deadline  time.Time
	answered  bool // there was a first Write
	computing bool
	over      bool

	list    *list.List // the one it waits in, or nil
	place   *list.Element
	since   time.Time // less the time that it spent on our side
	heard   time.Time // when its client was
	evicted bool
}

// begin counts the handshake, and fails where there are too many.
func (h *handshake) begin() bool {
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	if h.all.open >= h.all.max && !h.all.makeRoom() {
		return false
	}
	h.all.open++
	h.wait(&h.all.silent, time.Now())
	return true
}

// wait marks the handshake as one that waits for its client since then. The caller holds the lock.
func (h *handshake) wait(in *list.List, since time.Time) {
	h.list, h.since = in, since
	for e := in.Back(); e != nil; e = e.Prev() {
		if !e.Value.(*handshake).since.After(since) {
			h.place = in.InsertAfter(h, e)
			return
		}
	}
	h.place = in.PushFront(h)
}

// goOn undoes wait. The caller holds the lock.
func (h *handshake) goOn() {
	if h.list != nil {
		h.list.Remove(h.place)
		h.list = nil
	}
}

// hook returns config with compute in it.
func (h *handshake) hook(config *tls.Config) *tls.Config {
	config = strict(config)
	choose := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if err := h.compute(); err != nil || choose == nil {
			return nil, err
		}
		chosen, err := choose(hello)
		if chosen != nil {
			chosen = strict(chosen)
		}
		return chosen, err
	}
	return config
}

// compute waits for its turn. It fails if that comes too late, so that a queue that is too long
// does no work in vain.
//
// Of a server's first messages one at a time waits among the handshakes that were answered: so what
// was begun is finished before more is begun, who has sent a request waits for few, and a flood of
// one server holds up no other.
func (h *handshake) compute() error {
	h.resume()
	h.all.next <- struct{}{}
	h.take()
	<-h.all.next
	if time.Now().After(h.deadline) {
		return errTooManyHandshakes
	}
	return nil
}

// resume notes that the client has been heard.
func (h *handshake) resume() {
	h.heard = time.Now()
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	h.goOn()
}

// take waits for a turn.
func (h *handshake) take() {
	h.all.computing <- struct{}{}
	h.computing = true
}

// give gives the turn to the next, and waits for the client since then.
func (h *handshake) give(since time.Time) {
	h.computing = false
	<-h.all.computing
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	h.wait(&h.all.answered, since)
}

// Write ends a costly part. Once the handshake is over it changes nothing, since it may be called
// beside Read then.
func (h *handshake) Write(p []byte) (int, error) {
	if !h.over {
		h.answered = true
	}
	if h.computing {
		h.give(time.Now())
	}
	return h.Conn.Write(p)
}

// Read begins a costly part, once the client was answered, and ends one that has no Write. A client
// that sends its messages bit by bit gains no time by that.
func (h *handshake) Read(p []byte) (int, error) {
	if h.computing {
		h.give(h.since.Add(time.Since(h.heard)))
	}
	n, err := h.Conn.Read(p)
	if n > 0 && h.answered && !h.over {
		h.resume()
		h.take()
	}
	return n, err
}

// end gives back everything that is held.
func (h *handshake) end() {
	if h.computing {
		<-h.all.computing
	}
	h.computing, h.over = false, true
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	h.goOn()
	h.all.open--
}

// explain says of the error of a handshake that had to give way why it did.
func (h *handshake) explain(err error) error {
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	if err != nil && h.evicted {
		return fmt.Errorf("%w: %w", errTooManyHandshakes, err)
	}
	return err
}
