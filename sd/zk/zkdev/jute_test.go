package zkdev

import (
	"io"
	"math"
	"reflect"
	"testing"
	"time"
)

func TestJuteRoundTrip(t *testing.T) {
	e := newFrame()
	e.bool(true)
	e.bool(false)
	e.int32(math.MinInt32)
	e.int64(math.MaxInt64)
	e.buffer(nil)
	e.buffer([]byte{})
	e.buffer([]byte("data"))
	e.string("näme")
	e.strings([]string{"", "b"})
	e.acls([]acl{{permAll, anyone}})
	d := &decoder{rest: e.frame()}
	if have, want := int(d.int32()), len(d.rest); have != want {
		t.Errorf("length of the frame: have %d, want %d", have, want)
	}
	have := []any{d.bool(), d.bool(), d.int32(), d.int64(), d.buffer(), d.buffer(), d.buffer(),
		d.string(), d.strings(), d.acls()}
	want := []any{true, false, int32(math.MinInt32), int64(math.MaxInt64), []byte(nil), []byte{},
		[]byte("data"), "näme", []string{"", "b"},
		openACL()}
	if !reflect.DeepEqual(have, want) || d.err != nil || len(d.rest) != 0 {
		t.Errorf("have %v, error %v, %d bytes left; want %v", have, d.err, len(d.rest), want)
	}
}

func TestJuteRefusesLies(t *testing.T) {
	lies := map[string]func(*decoder){
		"short number":           func(d *decoder) { d.int64() },
		"string beyond the end":  func(d *decoder) { d.string() },
		"buffer beyond the end":  func(d *decoder) { d.buffer() },
		"strings beyond the end": func(d *decoder) { d.strings() },
		"acls beyond the end":    func(d *decoder) { d.acls() },
	}
	for name, read := range lies {
		for _, bytes := range []string{"\x7f\xff\xff\xff", "\x80\x00\x00\x00", "\x00\x00\x00\x01",
			"\x00"} {
			d := &decoder{rest: []byte(bytes)}
			// A vector of fewer elements than none is an empty one to ZooKeeper; see malformed.
			isEmpty := bytes == "\x80\x00\x00\x00" &&
				(name == "strings beyond the end" || name == "acls beyond the end")
			if read(d); (d.err == nil) != isEmpty {
				t.Errorf("%s in %q: have error %v, want one: %v", name, bytes, d.err, !isEmpty)
			}
		}
	}
}

// FuzzConn sends any bytes to a server, before and after a handshake. Nothing may panic, every
// reply must be well formed, and the next client must be served.
func FuzzConn(f *testing.F) {
	f.Add([]byte("ruok"), false)
	f.Add([]byte("\x7f\xff\xff\xff"), true)
	for _, fill := range []func(*encoder){
		func(e *encoder) { e.int32(int32(OpCreate)); e.create("/a", "x", 3, openACL()) },
		func(e *encoder) {
			e.int32(int32(OpMulti))
			e.multiHeader(OpDelete, false,
				-1)
			e.versioned("/a", 0)
		},
		func(e *encoder) {
			e.int32(int32(OpSetWatches2))
			e.int64(0)
			e.strings([]string{"/",
				""})
		},
		func(e *encoder) { e.int32(int32(OpSetACL)); e.string("/"); e.acls(openACL()); e.int32(-1) },
		func(e *encoder) { e.int32(int32(OpAddWatch)); e.versioned("", 1) },
		func(e *encoder) { e.int32(int32(OpRemoveWatches)); e.versioned("/", 3) },
		func(e *encoder) {
			e.int32(int32(OpMultiRead))
			e.multiHeader(OpGetData, false,
				-1)
			e.string("/")
		},
		func(e *encoder) {
			e.int32(int32(OpCreateTTL))
			e.create("/t", "", 5,
				openACL())
			e.int64(1)
		},
		func(e *encoder) { e.int32(int32(OpGetEphemerals)); e.null() },
		func(e *encoder) { e.int32(int32(OpGetAllChildrenNumber)); e.string("") },
		func(e *encoder) { e.int32(int32(OpReconfig)); e.null(); e.null(); e.null(); e.int64(-1) },
		func(e *encoder) { e.int32(int32(OpSASL)); e.string("token") },
		func(e *encoder) { e.int32(int32(OpWhoAmI)) },
	} {
		e := newFrame()
		e.int32(1)
		fill(e)
		f.Add(e.frame(), true)
		f.Add(e.frame(), false)
	}
	f.Fuzz(func(t *testing.T, bytes []byte, joined bool) {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w := l.open(t, dialTo(s), "w")
			if joined {
				w.connect(connectRequest{timeout: 4000})
			}
			go w.nc.Write(bytes)
			w.nc.SetReadDeadline(time.Now().Add(time.Second))
			if word := !joined && len(bytes) >= 4 && isWord(string(bytes[:4])); word {
				io.Copy(io.Discard, w.nc) // text, not frames
			}
			for w.read() != nil {
			}
			if code := l.join(t, dialTo(s), "next").ping(); code != OK {
				t.Errorf("the next client: have code %d, want OK", code)
			}
		})
	})
}

// FuzzDecoder reads every record of the protocol out of any bytes, and wants to get no more out
// than there was in.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02/a\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		for _, read := range []func(*decoder) int{
			func(d *decoder) int { return len(d.connectRequest().password) },
			func(d *decoder) int { return len(d.strings()) },
			func(d *decoder) int { return len(d.acls()) },
			func(d *decoder) int { return len(d.writes()) },
			func(d *decoder) int { return len(d.write(OpCreate).data) },
			func(d *decoder) int { return len(d.write(OpSetData).path) },
		} {
			d := &decoder{rest: bytes}
			if n := read(d); d.err == nil && n > len(bytes) || d.err != nil && n > len(bytes) {
				t.Errorf("have %d out of %d bytes", n, len(bytes))
			}
		}
	})
}

// FuzzFrame wants the frame reader to end on any input, and never to return more than a frame may
// hold.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01a\x00\x00\x00\x00"), true)
	f.Add([]byte("mntr"), true)
	f.Fuzz(func(t *testing.T, bytes []byte, first bool) {
		r := &counted{rest: bytes}
		for {
			got, err := readFrame(r, first)
			if err != nil {
				return
			}
			if len(got.body) > maxFrame || len(got.body) > len(bytes) {
				t.Errorf("have a frame of %d out of %d bytes", len(got.body), len(bytes))
			}
			first = false
		}
	})
}

// A counted reader hands out one byte at a time, so that every border between reads is met.
type counted struct{ rest []byte }

func (c *counted) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
