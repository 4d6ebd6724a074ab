package zk

import (
	"bytes"
	"encoding/binary"

	gozk "github.com/go-zookeeper/zk"
)

// Watches are asked for behind go-zookeeper's back. A request on a marked path
// becomes, on its way out through the guard, the same request on the path
// itself, with a watch:
//
//   - a sync becomes an addWatch, for a persistent watch, which the library
//     does not know (opcode 106, ZooKeeper 3.6,
//     https://issues.apache.org/jira/browse/ZOOKEEPER-1416);
//   - an exists or a getChildren2 gets its watch flag set.
//
// The xid, the order, the blocking call and the error stay the library's own,
// and events reach its callback in any case. The library does not track such a
// watch, and that is the other half of the point: what it tracks it arms again
// on reconnect with a data race on lastZxid
// (https://github.com/go-zookeeper/zk/pull/35), only logs when that failed, and
// keeps a channel for every call. Every user here arms and reads again on each
// link, so that nothing depends on it.
//
// No directory begins like a mark, because a target has no %.
//
// The alternative, a fork or a client of our own, is more code to keep right.
const (
	watchOnce  = "/%once"   // until the first event
	watchNode  = "/%node0"  // persistent: the node, and its list of children
	watchNodes = "/%nodes1" // persistent: the node and everything below it
)

const (
	opCloseSession = -11
	opError        = -1 // in the results of a multi
	opCreate       = 1
	opDelete       = 2
	opExists       = 3
	opGetData      = 4
	opSync         = 9
	opGetChildren2 = 12
	opMulti        = 14
	opAddWatch     = 106
)

// addWatch arms a persistent watch on path, which lasts as long as the link. A
// server before 3.6 answers "unimplemented", which the guard takes note of, and
// closes the connection. The reply has an empty body, which the library reads
// as a sync's empty path.
func addWatch(conn *gozk.Conn, mark, path string) error {
	_, err := conn.Sync(mark + path)
	return err
}

// unmark returns the request that packet, a request on a marked path, stands
// for, and packet itself if it is not marked.
func unmark(packet []byte) []byte {
	const head = 16 // length, xid, opcode, and the length of the path
	if len(packet) < head {
		return packet
	}
	opcode := binary.BigEndian.Uint32(packet[8:])
	if opcode != opSync && opcode != opExists && opcode != opGetChildren2 {
		return packet
	}
	size, rest := binary.BigEndian.Uint32(packet[head-4:]), packet[head:]
	if int64(size) > int64(len(rest)) {
		return packet
	}
	for _, mark := range []string{watchOnce, watchNode, watchNodes} {
		path, marked := bytes.CutPrefix(rest[:size], []byte(mark))
		if !marked {
			continue
		}
		if opcode == opSync {
			mode := uint32(mark[len(mark)-1] - '0')
			return request(packet[4:8], opAddWatch, path, binary.BigEndian.AppendUint32(nil, mode))
		}
		return request(packet[4:8], opcode, path, []byte{1})
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
