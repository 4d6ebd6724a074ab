package session

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Some requests are made behind go-zookeeper's back. A request on a marked path becomes another one
// on its way out through the guard:
//
//   - a sync becomes an addWatch, for a persistent watch, which the library does not know
//     (opcode 106);
//   - a sync becomes a multiRead, which it does not know either (opcode 22, see multiRead);
//   - an exists, a getData or a getChildren2 gets its watch flag set.
//
// The xid, the order, the blocking call and the error stay the library's own, and events reach its
// callback in any case. The library does not track such a watch, and that is the other half of the
// point: what it tracks it arms again on reconnect with a data race on lastZxid
// (https://github.com/go-zookeeper/zk/pull/35), only logs when that failed, and keeps a channel for
// every call.
//
// The alternative, a fork or a client of our own, is more code to keep right.
const (
	markOnce = "/%once" // a watch until the first event
	markRead = "/%read" // and a number: a multiRead
)

// markWatch marks the path of a persistent watch. The last digit is the mode on the wire.
var markWatch = [...]string{Node: "/%node0", Tree: "/%tree1"}

// marked puts a mark before a path. The library takes no path that ends with a slash, so that the
// root is the mark alone.
func marked(mark, path string) string { return mark + strings.TrimSuffix(path, "/") }

// unmarked returns the path behind a mark, if path has it.
func unmarked(path []byte, mark string) (plain []byte, ok bool) {
	plain, ok = bytes.CutPrefix(path, []byte(mark))
	if ok && len(plain) == 0 {
		plain = []byte("/")
	}
	return plain, ok
}

const (
	opCloseSession = -11
	opError        = -1 // in the results of a multi
	opCreate       = 1
	opDelete       = 2
	opSetData      = 5
	opCheck        = 13
	opExists       = 3
	opGetData      = 4
	opSync         = 9
	opGetChildren2 = 12
	opMulti        = 14
	opMultiRead    = 22
	opAddWatch     = 106
)

// unmark returns the request that packet, a request on a marked path, stands for, and packet itself
// if it is not marked.
func (r *replies) unmark(packet []byte) []byte {
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
		if plain, ok := unmarked(path, markOnce); ok {
			return request(xid, opcode, plain, []byte{1})
		}
		return packet
	}
	for _, mark := range markWatch {
		if plain, ok := unmarked(path, mark); ok {
			mode := uint32(mark[len(mark)-1] - '0')
			return request(xid, opAddWatch, plain, binary.BigEndian.AppendUint32(nil, mode))
		}
	}
	if read := r.send(string(path), xid); read != nil {
		return read
	}
	return packet
}

// request encodes a request that begins with a path.
func request(xid []byte, opcode uint32, path, rest []byte) []byte {
	packet := binary.BigEndian.AppendUint32(nil, uint32(12+len(path)+len(rest)))
	packet = append(packet, xid...)
	packet = binary.BigEndian.AppendUint32(packet, opcode)
	packet = binary.BigEndian.AppendUint32(packet, uint32(len(path)))
	return append(append(packet, path...), rest...)
}
