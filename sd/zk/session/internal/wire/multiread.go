package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"

	gozk "github.com/go-zookeeper/zk"
)

// A MultiRead is one request for several nodes under way. Go-zookeeper does not know the request:
// to the library it is a sync of a marked path, in whose place the guard sends it. The body of the
// reply is kept from the library, which gets an empty path instead.
type MultiRead struct {
	Mark  string // the path of the sync
	paths []string

	mu       sync.Mutex
	xid      int32
	answered bool
	body     []byte
	err      error
}

// Prepare makes the request known to the guard. Forget ends that.
func (r *Requests) Prepare(paths []string) *MultiRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marked++
	read := &MultiRead{Mark: readMark + strconv.Itoa(r.marked), paths: paths}
	r.reads[read.Mark] = read
	return read
}

// Forget drops what is known of the request.
func (r *Requests) Forget(read *MultiRead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reads, read.Mark)
	if r.readOf[read.xid] == read {
		delete(r.readOf, read.xid)
	}
}

// send returns the request in place of the sync of mark with the given xid, or nil if it is not of
// this connection.
func (r *Requests) send(mark string, xid []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	read := r.reads[mark]
	if read == nil {
		return nil
	}
	read.mu.Lock()
	defer read.mu.Unlock()
	read.xid = int32(binary.BigEndian.Uint32(xid))
	r.readOf[read.xid] = read
	return multiReadRequest(xid, read.paths)
}

// reading reports whether a multiRead is under way.
func (r *Requests) reading() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.readOf) > 0
}

// multiReadOf returns the multiRead that xid is the reply to, or nil.
func (r *Requests) multiReadOf(xid int32) *MultiRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readOf[xid]
}

// answer notes the body of the reply, or why there is none.
func (m *MultiRead) answer(body []byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered, m.body, m.err = true, body, err
}

// Result returns the body of the reply, for EachRead, if there was one, or why it was skipped.
func (m *MultiRead) Result() (body []byte, answered bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body, m.answered, m.err
}

// multiReadRequest encodes a getData without a watch for each path. Each begins with a header: the
// operation, whether it is the end, and an error code that means nothing in a request.
func multiReadRequest(xid []byte, paths []string) []byte {
	b := append(make([]byte, 4), xid...)
	b = appendWords(b, OpMultiRead)
	for _, path := range paths {
		b = appendWords(b, opGetData)
		b = append(b, 0)
		b = appendWords(b, -1, int32(len(path)))
		b = append(b, path...)
		b = append(b, 0)
	}
	b = appendWords(b, opError)
	b = append(b, 1)
	b = appendWords(b, -1)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func appendWords(b []byte, words ...int32) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, uint32(w))
	}
	return b
}

// EachRead calls f with each result of a multiRead of n nodes, n times at most: data and Stat, or an
// error code that is not 0. The error is that of a reply which does not hold n whole results and an
// end.
func EachRead(body []byte, n int, f func(data []byte, stat gozk.Stat, code Code)) error {
	d := decoder{rest: body}
	for reads := 0; ; reads++ {
		op, end := d.int32(), d.bool()
		d.int32() // the error code, once more
		if d.failed || end {
			if d.failed || reads != n {
				return fmt.Errorf("multiRead: %d whole results for %d nodes in %d bytes",
					reads, n, len(body))
			}
			return nil
		}
		var data []byte
		var stat gozk.Stat
		var code Code
		switch op {
		case opGetData:
			data, stat = d.bytes(), d.stat()
		case opError:
			code = Code(d.int32())
		default:
			return fmt.Errorf("multiRead: result of operation %d", op)
		}
		if reads < n {
			f(data, stat, code)
		}
	}
}

// A decoder takes values off the front of a reply. After a failure all it returns is zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return make([]byte, min(n, 8))
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) bool() bool   { return d.take(1)[0] != 0 }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

// bytes takes a length and as many bytes; null is nil.
func (d *decoder) bytes() []byte {
	n := d.int32()
	if n <= 0 {
		return nil
	}
	b := d.take(int(n))
	if d.failed {
		return nil
	}
	return b
}

func (d *decoder) stat() gozk.Stat {
	return gozk.Stat{
		Czxid: d.int64(), Mzxid: d.int64(), Ctime: d.int64(), Mtime: d.int64(),
		Version: d.int32(), Cversion: d.int32(), Aversion: d.int32(), EphemeralOwner: d.int64(),
		DataLength: d.int32(), NumChildren: d.int32(), Pzxid: d.int64(),
	}
}
