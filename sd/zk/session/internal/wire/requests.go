package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const statSize = 68 // bytes of a node's Stat

// Requests are the requests under way on a connection, and what is known of their replies. Four
// kinds of replies are looked into: one with a vector, because go-zookeeper believes its length;
// one to a multi, because it reads past the end; the one to closeSession, because it does not tell
// of it; and one that asks for SASL, because the server closes the connection after it.
//
// A server answers the requests of a connection in order, pings among them. One that answers pings
// alone, for as long as a session lasts, is of no use, though it keeps the session alive.
type Requests struct {
	mu        sync.Mutex
	timeout   time.Duration         // of the session
	pending   map[int32]int32       // opcode by xid
	silent    time.Time             // since when there is no reply to what is pending
	reads     map[string]*MultiRead // by mark
	readOf    map[int32]*MultiRead  // by xid
	marked    int                   // multiReads so far
	codes     map[int32]int32       // of the last replies, by opcode
	suspect   bool                  // see IsSuspect
	ended     bool                  // the server has ended the session, as it was asked to
	condemned error                 // why the guard gives the connection up, if it does
}

// NewRequests returns the Requests of a connection that is not there yet.
func NewRequests() *Requests {
	return &Requests{
		pending: map[int32]int32{},
		reads:   map[string]*MultiRead{},
		readOf:  map[int32]*MultiRead{},
		codes:   map[int32]int32{},
	}
}

// begin notes the session timeout.
func (r *Requests) begin(timeout time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeout = timeout
}

// sent notes a request.
func (r *Requests) sent(packet []byte) {
	if len(packet) < 12 {
		return
	}
	xid := int32(binary.BigEndian.Uint32(packet[4:]))
	if xid < 0 { // a ping
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		r.silent = time.Now()
	}
	r.pending[xid] = int32(binary.BigEndian.Uint32(packet[8:]))
}

// heard notes that the server is answering a request.
func (r *Requests) heard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = time.Now()
}

// received checks the beginning of a reply.
func (r *Requests) received(size int, head []byte) error {
	xid := int32(binary.BigEndian.Uint32(head))
	code := int32(binary.BigEndian.Uint32(head[12:]))
	r.mu.Lock()
	defer r.mu.Unlock()
	opcode, found := r.pending[xid]
	if code == CodeNeedsSASL && (found || xid == pingXid) { // the server closes the connection after it
		r.condemned = Code(code)
	}
	if !found {
		return r.checkSilence(xid)
	}
	delete(r.pending, xid)
	r.silent = time.Now()
	r.codes[opcode] = code
	switch {
	case opcode == opCloseSession:
		r.ended = code == 0
	case code != 0: // there is nothing after the header
	case opcode == opMulti:
		return checkMulti(size, head[minFrame:])
	case opcode == opGetChildren2 || opcode == opGetData || opcode == opGetACL:
		return checkVector(opcode, size, head[minFrame:])
	}
	return nil
}

// checkSilence returns an error if xid is a ping's, and nothing else has been answered for a whole
// session timeout. Events are no answers.
func (r *Requests) checkSilence(xid int32) error {
	if xid != pingXid || len(r.pending) == 0 || time.Since(r.silent) < r.timeout {
		return nil
	}
	return fmt.Errorf("%w, for %v", ErrUnanswered, r.timeout)
}

// isPending reports whether a request with that opcode is.
func (r *Requests) isPending(opcode int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(r.pending)), opcode)
}

// isList reports whether a frame begins like the reply to a getChildren2.
func (r *Requests) isList(head []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	opcode, found := r.pending[int32(binary.BigEndian.Uint32(head))]
	code := int32(binary.BigEndian.Uint32(head[12:]))
	return found && opcode == opGetChildren2 && code == 0
}

// checkVector checks that what a reply begins with fits in: a list of names, each of which takes 4
// bytes at least, an ACL, whose entries take 12, or data, which may be null.
func checkVector(opcode int32, size int, body []byte) error {
	if len(body) < 4 {
		return fmt.Errorf("%w of %d bytes: want a vector", ErrBadFrame, size)
	}
	count, room := binary.BigEndian.Uint32(body), int64(size-minFrame-4)
	switch {
	case opcode == opGetChildren2 && int64(count) > room/4:
		return fmt.Errorf("%w of %d bytes: list of %d names", ErrBadFrame, size, count)
	case opcode == opGetACL && int64(count) > room/12:
		return fmt.Errorf("%w of %d bytes: ACL of %d entries", ErrBadFrame, size, count)
	case opcode == opGetData && int64(int32(count)) > room:
		return fmt.Errorf("%w of %d bytes: data of %d bytes", ErrBadFrame, size, count)
	}
	return nil
}

// checkMulti checks the results of a multi to their end: those of a create, a delete, a setData and
// a check, or an error in the place of each. Each begins with an operation, whether it is the end,
// and an error code.
func checkMulti(size int, body []byte) error {
	if size > frameHead {
		return errMulti
	}
	for {
		if len(body) < 9 {
			return errMulti
		}
		op, end := int32(binary.BigEndian.Uint32(body)), body[4] != 0
		body = body[9:]
		length := int64(0)
		switch {
		case end:
			return nil
		case op == opError:
			length = 4
		case op == opCreate && len(body) >= 4:
			length = 4 + int64(binary.BigEndian.Uint32(body))
		case op == opSetData:
			length = statSize
		case op != opDelete && op != opCheck:
			return fmt.Errorf("%w: result of operation %d in a multi", ErrBadFrame, op)
		}
		if length > int64(len(body)) {
			return errMulti
		}
		body = body[length:]
	}
}

// Code returns the error code of the last reply to a request with that opcode; 0 is none.
func (r *Requests) Code(opcode int32) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codes[opcode]
}

// IsSuspect reports, once, whether the connection has ended while the server owed the answer to a
// request with that opcode, for no other reason that is known.
func (r *Requests) IsSuspect(opcode int32) bool {
	if err := r.Condemned(); !r.isPending(opcode) || err != nil && !errors.Is(err, ErrUnanswered) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.suspect
	r.suspect = true
	return first
}

// EndedSession reports whether the server has confirmed the end of the session.
func (r *Requests) EndedSession() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// condemn notes why the guard closes the connection: go-zookeeper only tells that it is closed.
func (r *Requests) condemn(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.condemned = why
}

// Condemned returns why the guard gives the connection up, or nil.
func (r *Requests) Condemned() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.condemned
}
