package zkdev

import (
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A four letter word is a question that an administrator types, or a monitor sends, in place of the
// first frame of a connection. It is answered with text, and the connection is closed. A ZooKeeper
// answers the words that its configuration lists (4lw.commands.whitelist); this server answers
// those below, and says of ZooKeeper's others that they are not in the list.

const (
	// version is of a form that old parsers of srvr can read: digits, a word, a date.
	version = "3.8.0-zkdev, built on 01/01/2026 00:00 GMT"

	answered   = "conf cons envi isro mntr ruok srvr stat wchs"
	unanswered = "crst dirs dump gtmk hash srst stmk wchc wchp"
)

// isWord recognises the four letter words. Read as a length, each would be over a gigabyte, so no
// frame begins like one.
func isWord(s string) bool { return isOneOf(s, answered) || isOneOf(s, unanswered) }

func isOneOf(word, list string) bool { return slices.Contains(strings.Fields(list), word) }

// fourLetter returns the answer to a word. Lines end as ZooKeeper ends them.
func (s *Server) fourLetter(word string) string {
	switch word {
	case "conf":
		return s.conf()
	case "cons":
		return s.connections(true) + "\n"
	case "envi":
		return envi()
	case "isro":
		return "rw"
	case "mntr":
		return s.mntr()
	case "ruok":
		return "imok"
	case "srvr":
		return s.srvr("")
	case "stat":
		return s.srvr("Clients:\n" + s.connections(false) + "\n")
	case "wchs":
		return s.wchs()
	}
	return word + " is not executed because it is not in the whitelist.\n"
}

// srvr is text for people, and for the parsers that were written for it all the same. No latencies
// are kept.
func (s *Server) srvr(clients string) string {
	return fmt.Sprintf("Zookeeper version: %s\n%sLatency min/avg/max: 0/0.0/0\nReceived: %d\n"+
		"Sent: %d\nConnections: %d\nOutstanding: 0\nZxid: 0x%x\nMode: standalone\n"+
		"Node count: %d\n", version, clients, s.counters.received, s.counters.sent,
		len(s.conns), s.tree.zxid, s.nodeCount())
}

// mntr has one key and value to a line, for monitors. The keys are a few of the many that a
// ZooKeeper has.
func (s *Server) mntr() string {
	var b strings.Builder
	line := func(key string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", key, value) }
	line("version", version)
	line("server_state", "standalone")
	line("packets_received", s.counters.received)
	line("packets_sent", s.counters.sent)
	line("num_alive_connections", len(s.conns))
	line("outstanding_requests", 0)
	line("znode_count", s.nodeCount())
	line("watch_count", s.watches.size())
	line("ephemerals_count", s.tree.ephemeralCount())
	line("global_sessions", len(s.sessions))
	line("uptime", time.Since(s.began).Milliseconds())
	return b.String()
}

// conf is the configuration, in the form of a configuration file.
func (s *Server) conf() string {
	port := 0
	for l := range s.listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			port = tcp.Port
		}
	}
	return fmt.Sprintf("clientPort=%d\nsecureClientPort=-1\ndataDir=\ndataDirSize=0\ndataLogDir=\n"+
		"dataLogSize=0\ntickTime=%d\nmaxClientCnxns=0\nminSessionTimeout=%d\n"+
		"maxSessionTimeout=%d\nclientPortListenBacklog=-1\nserverId=0\n",
		port, s.tick.Milliseconds(), s.clamp(0).Milliseconds(), s.clamp(1<<40).Milliseconds())
}

// envi is the environment. It has the keys of a ZooKeeper, and for those of the Java machine the
// value by which Java says that there is none.
func envi() string {
	host, err := os.Hostname()
	if err != nil {
		host = "<NA>"
	}
	values := map[string]string{
		"zookeeper.version": version, "host.name": host,
		"os.name": runtime.GOOS, "os.arch": runtime.GOARCH,
	}
	var b strings.Builder
	b.WriteString("Environment:\n")
	for _, key := range strings.Fields("zookeeper.version host.name java.version java.vendor " +
		"java.home java.class.path java.library.path java.io.tmpdir java.compiler " +
		"os.name os.arch os.version user.name user.home user.dir " +
		"os.memory.free os.memory.max os.memory.total") {
		value, known := values[key]
		if !known {
			value = "<NA>"
		}
		fmt.Fprintf(&b, "%s=%s\n", key, value)
	}
	return b.String()
}

// wchs summarises the watches that hear of data; ZooKeeper leaves those of children out here.
func (s *Server) wchs() string {
	watching, total := map[watcher]bool{}, 0
	for _, watchers := range s.watches.data {
		total += len(watchers)
		for w := range watchers {
			watching[w] = true
		}
	}
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d\n",
		len(watching), len(s.watches.data), total)
}

// connections lists the connections, a line each.
func (s *Server) connections(full bool) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s.conns)) {
		b.WriteString(s.conns[id].describe(full))
	}
	return b.String()
}

// nodeCount counts the root twice, as ZooKeeper does, which keeps it under two names.
func (s *Server) nodeCount() int { return len(s.tree.nodes) + 1 }
