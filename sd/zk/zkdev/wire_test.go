package zkdev

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A wire is a client that speaks the protocol by hand and writes down everything it is told, in
// order. It hides what two correct servers may differ in: session numbers, passwords, and the time
// of day.
type wire struct {
	t    *testing.T
	name string
	nc   net.Conn
	xid  int32
	log  *transcript

	session  int64
	password []byte
	timeout  time.Duration
}

type transcript struct {
	mu    sync.Mutex
	lines []string
	names map[int64]string
}

func (l *transcript) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func newTranscript() *transcript { return &transcript{names: map[int64]string{}} }

// owner gives sessions names in the order in which they appear.
func (l *transcript) owner(id int64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == 0 {
		return fmt.Sprint(id)
	}
	if l.names[id] == "" {
		l.names[id] = fmt.Sprintf("session%d", len(l.names)+1)
	}
	return l.names[id]
}

type dialer func() (net.Conn, error)

func dialTo(s *Server) dialer {
	return func() (net.Conn, error) { return s.Dial(context.Background(), "", "") }
}

// open dials without a handshake.
func (l *transcript) open(t *testing.T, dial dialer, name string) *wire {
	t.Helper()
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if _, tcp := nc.RemoteAddr().(*net.TCPAddr); tcp {
		nc.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return &wire{t: t, name: name, nc: nc, log: l}
}

// join opens a session of its own.
func (l *transcript) join(t *testing.T, dial dialer, name string) *wire {
	w := l.open(t, dial, name)
	w.connect(connectRequest{timeout: 4000, hasReadOnly: true})
	return w
}

func (w *wire) connect(r connectRequest) bool {
	e := newFrame()
	e.int32(0)
	e.int64(r.lastZxid)
	e.int32(r.timeout)
	e.int64(r.session)
	if r.password == nil {
		r.password = make([]byte, 16)
	}
	e.buffer(r.password)
	if r.hasReadOnly {
		e.bool(false)
	}
	w.nc.Write(e.frame())
	d := w.read()
	if d == nil {
		w.log.add("%s connect: closed", w.name)
		return false
	}
	version, timeout := d.int32(), d.int32()
	w.session, w.password = d.int64(), d.buffer()
	w.timeout = time.Duration(timeout) * time.Millisecond
	w.log.add("%s connect: version %d timeout %d %s password %d bytes, %d more", w.name, version,
		timeout,
		w.log.owner(w.session), len(w.password), len(d.rest))
	return w.session != 0
}

// read returns nil when the server has closed.
func (w *wire) read() *decoder {
	var head [4]byte
	if _, err := io.ReadFull(w.nc, head[:]); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(w.nc, body); err != nil {
		w.t.Errorf("%s: a frame of %d bytes ended early", w.name, len(body))
		return nil
	}
	return &decoder{rest: body}
}

// send writes a request and does not wait.
func (w *wire) send(xid int32, op Op, fill func(*encoder)) {
	e := newFrame()
	e.int32(xid)
	e.int32(int32(op))
	if fill != nil {
		fill(e)
	}
	w.nc.Write(e.frame())
}

// do sends a request and writes down what comes, up to and including its reply. It returns the
// reply's code, and the connection's end as a code that no server sends.
func (w *wire) do(what string, op Op, fill func(*encoder)) Code {
	w.xid++
	xid := w.xid
	switch op {
	case OpPing:
		xid = xidPing
	case OpAuth:
		xid = -4
	}
	w.send(xid, op, fill)
	return w.await(what, op, xid)
}

const closed Code = 1

func (w *wire) await(what string, op Op, xid int32) Code {
	for {
		d := w.read()
		if d == nil {
			w.log.add("%s %s: closed", w.name, what)
			return closed
		}
		got, zxid, code := d.int32(), d.int64(), Code(d.int32())
		if got == xidEvent {
			w.log.add("%s event: kind %d state %d %s (zxid %d)", w.name, d.int32(), d.int32(),
				d.string(), zxid)
			continue
		}
		if got != xid {
			w.t.Errorf("%s %s: reply to %d, want %d", w.name, what, got, xid)
		}
		w.log.add("%s %s: code %d zxid %d%s", w.name, what, code, zxid, w.body(op, d))
		if op == OpCloseSession && w.read() == nil {
			w.log.add("%s %s: closed", w.name, what)
		}
		return code
	}
}

// body decodes a reply.
func (w *wire) body(op Op, d *decoder) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if len(d.rest) == 0 {
		return ""
	}
	switch op {
	case OpCreate, OpSync:
		add("path %s", d.string())
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		add("path %s %s", d.string(), w.stat(d))
	case OpExists, OpSetData, OpSetACL, OpCheck:
		add("%s", w.stat(d))
	case OpGetData:
		add("data %s", data(d))
		add("%s", w.stat(d))
	case OpGetChildren, OpGetChildren2:
		names := d.strings()
		slices.Sort(names)
		add("children %q", names)
		if op == OpGetChildren2 {
			add("%s", w.stat(d))
		}
	case OpGetACL:
		for range d.int32() {
			add("acl %d %s %s", d.int32(), d.string(), d.string())
		}
		add("%s", w.stat(d))
	case OpMulti, OpMultiRead:
		w.multi(d, add)
	case OpGetEphemerals:
		paths := d.strings()
		slices.Sort(paths)
		add("paths %q", paths)
	case OpGetAllChildrenNumber:
		add("%d", d.int32())
	case OpWhoAmI:
		var ids []string
		for range d.int32() {
			ids = append(ids, d.string()+" "+d.string())
		}
		slices.Sort(ids)
		add("%q", ids)
	}
	add("%d bytes %x left", len(d.rest), d.rest)
	if d.err != nil {
		add("malformed")
	}
	return " | " + strings.Join(parts, ", ")
}

func (w *wire) multi(d *decoder, add func(string, ...any)) {
	for d.err == nil {
		op, done, code := Op(d.int32()), d.bool(), d.int32()
		add("op %d done %v code %d", op, done, code)
		if done {
			return
		}
		switch op {
		case OpCreate:
			add("path %s", d.string())
		case OpCreate2:
			add("path %s %s", d.string(), w.stat(d))
		case OpSetData:
			add("%s", w.stat(d))
		case OpGetData:
			add("data %s, %s", data(d), w.stat(d))
		case OpGetChildren:
			names := d.strings()
			slices.Sort(names)
			add("children %q", names)
		case opError:
			add("error %d", d.int32())
		}
	}
}

// data tells a null from an empty buffer.
func data(d *decoder) string {
	b := d.buffer()
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

func (w *wire) stat(d *decoder) string {
	czxid, mzxid, ctime, mtime := d.int64(), d.int64(), d.int64(), d.int64()
	version, cversion, aversion, owner := d.int32(), d.int32(), d.int32(), d.int64()
	return fmt.Sprintf("{c %d m %d dated %v ordered %v version %d cversion %d aversion %d "+
		"owner %s length %d children %d p %d}",
		czxid, mzxid, ctime > 0, mtime >= ctime, version, cversion, aversion,
		w.log.owner(owner), d.int32(), d.int32(), d.int64())
}

// silent fails the test when anything comes within d, an end of the connection included.
func (w *wire) silent(d time.Duration) {
	w.t.Helper()
	w.nc.SetReadDeadline(time.Now().Add(d))
	defer w.nc.SetReadDeadline(time.Time{})
	if n, err := w.nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("%s: have %d bytes and %v within %v, want silence", w.name, n, err, d)
	}
}

// isClosed waits until the server has closed the connection, and fails the test when something else
// comes.
func (w *wire) isClosed() {
	w.t.Helper()
	if d := w.read(); d != nil {
		w.t.Errorf("%s: have a frame %x, want the end", w.name, d.rest)
	}
}

// event reads one frame and wants it to be a watch event.
func (w *wire) event(kind eventKind, path string) {
	w.t.Helper()
	d := w.read()
	if d == nil {
		w.t.Fatalf("%s: the connection ended, want event %d %s", w.name, kind, path)
	}
	xid := d.int32()
	d.take(12)
	have := event{eventKind(d.int32()), ""}
	d.int32()
	have.path = d.string()
	if want := (event{kind, path}); xid != xidEvent || have != want {
		w.t.Errorf("%s: have frame %d %v, want event %v", w.name, xid, have, want)
	}
}
