package zkdev

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	gozk "github.com/go-zookeeper/zk"
)

func TestFourLetterWords(t *testing.T) {
	s, err := Start("127.0.0.1:0", FirstZxid(0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr := s.Addr().String()
	s.Create("/a", nil, 77)

	for w, want := range map[string]string{
		"ruok": "imok", "isro": "rw", "nope": "",
		"dump": "dump is not executed because it is not in the whitelist.\n",
		"wchs": "0 connections watching 0 paths\nTotal watches:0\n",
	} {
		if have := word(addr, w); have != want {
			t.Errorf("%s: have %q, want %q", w, have, want)
		}
	}
	for w, want := range map[string]string{
		"srvr": "Zxid: 0x1\nMode: standalone\nNode count: 6\n",
		"mntr": "zk_ephemerals_count\t1\n",
		"envi": "Environment:\nzookeeper.version=3.8.0",
		"conf": "tickTime=2000\nmaxClientCnxns=0\nminSessionTimeout=4000\nmaxSessionTimeout=40000\n",
	} {
		if have := word(addr, w); !strings.Contains(have, want) {
			t.Errorf("%s: have %q, want in it %q", w, have, want)
		}
	}
}

// TestParsersOfWords has go-zookeeper read the answers.
func TestParsersOfWords(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr, l := s.Addr().String(), newTranscript()
	w := l.join(t, func() (net.Conn, error) { return net.Dial("tcp", addr) }, "w")
	w.create("/a", "", 1)
	stats, ok := gozk.FLWSrvr([]string{addr}, time.Second)
	if !ok || stats[0].NodeCount != 6 || stats[0].Mode != gozk.ModeStandalone {
		t.Errorf("srvr: have %+v, %v", stats[0], ok)
	}
	// It reads no line of a connection without a session, and one such asks.
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	wait.True(t, "the line of the session", func() bool {
		return strings.Contains(word(addr, "cons"), ",lop=CREA,")
	})
	for _, w := range []string{"stat", "cons"} { // the connections of the words before it end soon
		wait.True(t, "three connections in "+w, func() bool {
			return strings.Count(word(addr, w), " /127.0.0.1:") == 3
		})
	}
}

// TestWordsSameAsZooKeeper asks both servers the same words, with the same clients connected. What
// differs by nature is left out: numbers, and the values of configuration and environment.
func TestWordsSameAsZooKeeper(t *testing.T) {
	s, err := Start("127.0.0.1:0", TickTime(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, have := wordsOf(t, realServer(t)), wordsOf(t, s.Addr().String())
	compare(t, have, want)
}

func wordsOf(t *testing.T, addr string) (lines []string) {
	l := newTranscript()
	dial := func() (net.Conn, error) { return net.Dial("tcp", addr) }
	c, d := l.join(t, dial, "c"), l.join(t, dial, "d")
	for _, w := range strings.Fields("srst crst") {
		word(addr, w) // forgets the words by which the test waited for its start
	}
	c.create("/a", "x", 1)
	c.readOp(OpGetChildren, "/", true)
	c.readOp(OpGetData, "/a", true)
	d.addWatch("/", 1)
	d.addWatch("/a", 0)
	d.readOp(OpExists, "/none", true)
	numbers := regexp.MustCompile(`0x[0-9a-f]+|[0-9]+(\.[0-9]+)*`)
	values := regexp.MustCompile(`(?m)(=|version:).*`)
	for _, w := range strings.Fields("wchs isro ruok srvr stat cons conf envi nope") {
		answer := word(addr, w)
		switch w {
		case "wchs":
		case "conf", "envi":
			answer = values.ReplaceAllString(answer, "$1")
		default:
			answer = regexp.MustCompile(`version:.*`).ReplaceAllString(answer, "version:")
			answer = numbers.ReplaceAllString(answer, "N")
		}
		list := strings.Split(answer, "\n")
		if w == "stat" || w == "cons" {
			// Connections come in no order, and those of words before may not have ended.
			slices.Sort(list)
			list = slices.Compact(list)
		}
		lines = append(append(lines, "= "+w), list...)
	}
	c.quit()
	d.quit()
	return lines
}

// TestLastOperations compares what cons says of a client's last operation.
func TestLastOperations(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compare(t, lastOperations(t, s.Addr().String()), lastOperations(t, realServer(t)))
}

func lastOperations(t *testing.T, addr string) (lines []string) {
	l := newTranscript()
	w := l.join(t, func() (net.Conn, error) { return net.Dial("tcp", addr) }, "w")
	last := regexp.MustCompile(`lop=\w+`)
	tell := func() { lines = append(lines, last.FindString(word(addr, "cons"))) }
	tell()
	w.create("/a", "", 0)
	tell()
	w.createTTL("/ttl", 5, 1000)
	tell()
	w.setData("/a", "", -1)
	tell()
	w.setACL("/a", -1, openACL()...)
	tell()
	w.getACL("/a")
	tell()
	for _, op := range []Op{OpExists, OpGetData, OpGetChildren, OpGetChildren2} {
		w.readOp(op, "/a", false)
		tell()
	}
	for _, op := range []Op{OpSync, OpGetEphemerals, OpGetAllChildrenNumber} {
		w.path(op, "/a")
		tell()
	}
	w.do("whoAmI", OpWhoAmI, nil)
	tell()
	w.multiOf("nothing")
	tell()
	w.multiRead("nothing")
	tell()
	w.setWatches(OpSetWatches, 0, nil, nil, nil)
	tell()
	w.setWatches(OpSetWatches2, 0, nil, nil, nil, nil, nil)
	tell()
	w.addWatch("/a", 1)
	tell()
	for _, op := range []Op{OpCheckWatches, OpRemoveWatches} {
		w.do("watches", op, func(e *encoder) { e.versioned("/a", 3) })
		tell()
	}
	w.delete("/a", -1)
	tell()
	w.ping()
	tell()
	w.quit()
	return lines
}

// TestMntrKeys wants no key from this server that a real one does not have.
func TestMntrKeys(t *testing.T) {
	real, s := word(realServer(t), "mntr"), New()
	defer s.Close()
	for _, key := range regexp.MustCompile(`(?m)^zk_\w+`).FindAllString(s.mntr(), -1) {
		if !strings.Contains(real, key+"\t") {
			t.Errorf("ZooKeeper's mntr has no %s", key)
		}
	}
}

// TestWordsThatAreNotListed compares with a ZooKeeper that lists a few words only.
func TestWordsThatAreNotListed(t *testing.T) {
	s := New()
	defer s.Close()
	addr := realServer(t, "4lw.commands.whitelist=srvr")
	for _, w := range strings.Fields(unanswered) {
		if have, want := s.fourLetter(w), word(addr, w); have != want {
			t.Errorf("%s: have %q, want %q", w, have, want)
		}
	}
}
