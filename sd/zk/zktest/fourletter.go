package zktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wordBound is for a whole four letter word, dump of a large tree included.
const wordBound = 5 * time.Second

// FourLetter asks the server one of ZooKeeper's four letter words, such as "mntr", and returns the
// answer.
func (s *Server) FourLetter(tb testing.TB, word string) string {
	tb.Helper()
	answer, err := ask(s.Addr(), word, wordBound)
	s.check(tb, word, err)
	return answer
}

// Zxid is the last transaction that the server has seen.
func (s *Server) Zxid(tb testing.TB) int64 {
	tb.Helper()
	zxid, err := parseZxid(s.FourLetter(tb, "srvr"))
	s.check(tb, "srvr", err)
	return zxid
}

// Connections counts the clients with a session on the port in clear text; ZooKeeper lists none of
// the other port. The metric zk_num_alive_connections has both, and the connection that asks.
func (s *Server) Connections(tb testing.TB) int {
	tb.Helper()
	return countSessions(s.FourLetter(tb, "cons"))
}

// Watches counts the watches held by clients of this server; a persistent one counts twice, once
// for data and once for children. It asks mntr, because wchs leaves out those on children.
func (s *Server) Watches(tb testing.TB) int {
	tb.Helper()
	return int(s.Metric(tb, "zk_watch_count"))
}

// Metric is one number of mntr, such as zk_packets_received, zk_packets_sent or zk_znode_count.
func (s *Server) Metric(tb testing.TB, name string) int64 {
	tb.Helper()
	value, err := parseMetric(s.FourLetter(tb, "mntr"), name)
	s.check(tb, "mntr", err)
	return value
}

// Ephemerals maps each session that owns ephemeral nodes to their paths.
func (s *Server) Ephemerals(tb testing.TB) map[int64][]string {
	tb.Helper()
	owned, err := parseEphemerals(s.FourLetter(tb, "dump"))
	s.check(tb, "dump", err)
	return owned
}

// mode is "standalone", "leader", "follower" or "observer".
func (s *Server) mode() (string, error) {
	answer, err := ask(s.Addr(), "srvr", answerBound)
	if err != nil {
		return "", err
	}
	return parseMode(answer)
}

func ask(addr, word string, bound time.Duration) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, bound)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func parseMode(srvr string) (string, error) {
	mode, err := field(srvr, "Mode: ")
	if err != nil {
		return "", fmt.Errorf("not serving: %w", err)
	}
	return mode, nil
}

func parseZxid(srvr string) (int64, error) {
	text, err := field(srvr, "Zxid: ")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 0, 64)
}

// field is the rest of the line that begins with label.
func field(answer, label string) (string, error) {
	for line := range strings.Lines(answer) {
		if rest, found := strings.CutPrefix(line, label); found {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("no line %q in %q", label, answer)
}

// parseMetric reads "name<TAB>value" lines. Some values are fractions; the part after the point is
// dropped.
func parseMetric(mntr, name string) (int64, error) {
	text, err := field(mntr, name+"\t")
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseFloat(text, 64)
	return int64(value), err
}

// countSessions counts connections that have a session; the one that asks has none.
func countSessions(cons string) int { return strings.Count(cons, ",sid=0x") }

// parseEphemerals reads one section of dump: a line for each session, then its paths, indented.
func parseEphemerals(dump string) (map[int64][]string, error) {
	_, section, found := strings.Cut(dump, "Sessions with Ephemerals")
	if !found {
		return nil, errors.New("no section on ephemerals in dump")
	}
	section, _, _ = strings.Cut(section, "Connections dump:")
	owned := map[int64][]string{}
	var session int64
	for line := range strings.Lines(section) {
		line = strings.TrimSuffix(line, "\n")
		if path, indented := strings.CutPrefix(line, "\t"); indented {
			owned[session] = append(owned[session], path)
		} else if id, found := strings.CutSuffix(line, ":"); found && strings.HasPrefix(id, "0x") {
			unsigned, err := strconv.ParseUint(id, 0, 64)
			if err != nil {
				return nil, err
			}
			session = int64(unsigned)
		}
	}
	return owned, nil
}
