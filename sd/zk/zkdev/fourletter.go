package zkdev

import (
	"fmt"
	"strings"
)

// version is what srvr and mntr say. Its form is one that old parsers of srvr
// can read.
const version = "3.8.0-zkdev, built on 01/01/2026 00:00 GMT"

// isWord recognises the four letter words, which an administrator types in
// place of a frame, as the first bytes of a connection. Read as a length, each
// would be over a gigabyte, so no frame begins like one.
func isWord(s string) bool { return s == "ruok" || s == "srvr" || s == "mntr" }

// fourLetter answers a word; the connection is closed after it. A ZooKeeper
// answers only those words that its configuration lists, here there is no such
// list.
func (s *Server) fourLetter(word string) string {
	switch word {
	case "srvr":
		return s.srvr()
	case "mntr":
		return s.mntr()
	}
	return "imok"
}

// srvr is text for people, and for the parsers that were written for it all the
// same. No latencies are kept.
func (s *Server) srvr() string {
	return fmt.Sprintf("Zookeeper version: %s\nLatency min/avg/max: 0/0.0/0\nReceived: %d\nSent: %d\nConnections: %d\n"+
		"Outstanding: 0\nZxid: 0x%x\nMode: standalone\nNode count: %d\n",
		version, s.counters.received(), s.counters.received(), len(s.conns), s.tree.zxid, s.nodeCount())
}

// mntr has one key and value to a line, for monitors. The keys are a few of the
// many that a real one has.
func (s *Server) mntr() string {
	var b strings.Builder
	line := func(key string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", key, value) }
	line("version", version)
	line("server_state", "standalone")
	line("packets_received", s.counters.received())
	line("num_alive_connections", len(s.conns))
	line("outstanding_requests", 0)
	line("znode_count", s.nodeCount())
	line("watch_count", s.watches.size())
	line("ephemerals_count", s.tree.ephemeralCount())
	line("global_sessions", len(s.sessions))
	return b.String()
}

// nodeCount counts the root twice, as ZooKeeper does, which keeps it under two
// names.
func (s *Server) nodeCount() int { return len(s.tree.nodes) + 1 }
