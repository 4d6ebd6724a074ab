package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A Mark in front of the path of a request makes it another request on its way out through the
// Guard. The xid, the order, the blocking call and the error stay the library's own, and events
// reach its callback in any case. The library does not track such a watch, and that is the other
// half of the point: what it tracks it arms again on reconnect with a data race on lastZxid
// (https://github.com/go-zookeeper/zk/pull/35), only logs when that failed, and keeps a channel for
// every call.
//
// The alternative, a fork or a client of our own, is more code to keep right.
type Mark string

// The last digit of a mark for addWatch is the mode on the wire.
const (
	Once Mark = "/%once"  // an exists, getData or getChildren2 gets its watch flag set
	Node Mark = "/%node0" // a sync becomes an addWatch for the node and its list of children
	Tree Mark = "/%tree1" // a sync becomes an addWatch for the node and everything below it

	readMark = "/%read" // and a number: a sync becomes a multiRead, see MultiRead
)

// Path puts the mark before path. The library takes no path that ends with a slash, so that the
// root is the mark alone.
func (m Mark) Path(path string) string { return string(m) + strings.TrimSuffix(path, "/") }

// cut returns the path behind the mark, if path has it.
func (m Mark) cut(path []byte) (plain []byte, ok bool) {
	plain, ok = bytes.CutPrefix(path, []byte(m))
	if ok && len(plain) == 0 {
		plain = []byte("/")
	}
	return plain, ok
}

// unmark returns the request that packet, a request on a marked path, stands for, and packet itself
// if it is not marked.
func (r *Requests) unmark(packet []byte) []byte {
	const head = 16 // length, xid, opcode, and the length of the path
	if len(packet) < head {
		return packet
	}
	opcode := binary.BigEndian.Uint32(packet[8:])
	switch opcode {
	case opSync, opExists, opGetData, opGetChildren2:
	default:
		return packet
	}
	size, rest := binary.BigEndian.Uint32(packet[head-4:]), packet[head:]
	if int64(size) > int64(len(rest)) || !bytes.HasPrefix(rest, []byte("/%")) {
		return packet
	}
	xid, path := packet[4:8], rest[:size]
	if opcode != opSync {
		if plain, ok := Once.cut(path); ok {
			return request(xid, opcode, plain, []byte{1})
		}
		return packet
	}
	for _, mark := range []Mark{Node, Tree} {
		if plain, ok := mark.cut(path); ok {
			mode := int32(mark[len(mark)-1] - '0')
			return request(xid, OpAddWatch, plain, appendWords(nil, mode))
		}
	}
	if read := r.send(string(path), xid); read != nil {
		return read
	}
	return packet
}

// request encodes a request that begins with a path.
func request(xid []byte, opcode uint32, path, rest []byte) []byte {
	b := append(appendWords(nil, int32(12+len(path)+len(rest))), xid...)
	b = appendWords(b, int32(opcode), int32(len(path)))
	return append(append(b, path...), rest...)
}
