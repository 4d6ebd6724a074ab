package zkdev

import (
	"encoding/binary"
	"errors"
)

// maxFrame is the longest request that is read, in bytes: ZooKeeper's default jute.maxbuffer. A
// longer one ends the connection, and so does a negative length. Replies have no limit: a list of
// children may be longer, and then it is the client that gives up.
const maxFrame = 0xfffff

var errMalformed = errors.New("zkdev: malformed record")

// A decoder takes jute values off the front of one frame. Jute is ZooKeeper's encoding: numbers are
// big-endian, strings and buffers have a length of four bytes before them and vectors a count,
// records are their fields one after another, without names or types. The records themselves are
// listed in ZooKeeper's zookeeper.jute.
//
// The first failure stays, and every value after it is zero. So a record is decoded in a straight
// line, and err is checked once, at its end. Bytes that are left over are ignored, as ZooKeeper
// ignores them: newer clients add fields in this way.
type decoder struct {
	rest []byte
	err  error
}

// take returns the next n bytes, still part of the frame. Every other method gets its bytes here,
// so this is the one place that can run over the end.
func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.rest) {
		d.err = errMalformed
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// bool takes any byte but zero for true.
func (d *decoder) bool() bool {
	b := d.take(1)
	return len(b) == 1 && b[0] != 0
}

func (d *decoder) int32() int32 {
	b := d.take(4)
	if len(b) < 4 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

func (d *decoder) int64() int64 {
	b := d.take(8)
	if len(b) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// buffer returns a copy, because the tree keeps it longer than the frame lives. A length of -1 is
// jute's null, and nil here.
func (d *decoder) buffer() []byte {
	n := d.int32()
	if n == -1 {
		return nil
	}
	return append([]byte{}, d.take(int(n))...)
}

// string refuses jute's null. ZooKeeper's code fails on one in most places, and answers with
// MarshallingError.
func (d *decoder) string() string {
	s, null := d.nullable()
	if null {
		d.err = errMalformed
	}
	return s
}

// nullable reads a string that may be jute's null, which is then the empty string.
func (d *decoder) nullable() (s string, null bool) {
	n := d.int32()
	if n == -1 {
		return "", true
	}
	return string(d.take(int(n))), false
}

// count reads the length of a vector, -1 for jute's null; below that it is empty, as to ZooKeeper.
// Every element takes at least four bytes, so a length that the frame cannot hold is refused before
// anything is allocated for it.
func (d *decoder) count() int {
	n := int(d.int32())
	if n > len(d.rest)/4 {
		d.err = errMalformed
		return 0
	}
	if n < -1 {
		return 0
	}
	return n
}

// strings reads a vector of strings. Neither it nor one of them may be null.
func (d *decoder) strings() []string {
	n := d.count()
	if n < 0 {
		d.err = errMalformed
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

// An encoder appends jute values to a frame, which begins with its length.
type encoder struct{ b []byte }

// newFrame leaves room for the length.
func newFrame() *encoder { return &encoder{b: make([]byte, 4, 128)} }

// frame fills in the length and returns the bytes to send.
func (e *encoder) frame() []byte {
	binary.BigEndian.PutUint32(e.b, uint32(len(e.b)-4))
	return e.b
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
		return
	}
	e.b = append(e.b, 0)
}

func (e *encoder) int32(v int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) int64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

// null is a string, a buffer or a vector that is not there.
func (e *encoder) null() { e.int32(-1) }

// buffer keeps the difference between no data and empty data, as clients do.
func (e *encoder) buffer(v []byte) {
	if v == nil {
		e.null()
		return
	}
	e.int32(int32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) string(v string) {
	e.int32(int32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) strings(list []string) {
	e.int32(int32(len(list)))
	for _, s := range list {
		e.string(s)
	}
}
