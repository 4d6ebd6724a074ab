package zkdev

import (
	"flag"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

var record = flag.Bool("record", false, "write what the real ZooKeeper answers to testdata")

const recorded = "testdata/zookeeper-3.8.txt"

// TestSameAsZooKeeper runs every script on a real ZooKeeper and on this server, one after the other
// on the same two servers, and wants the same transcripts, zxids included.
func TestSameAsZooKeeper(t *testing.T) {
	addr := realServer(t)
	want := playAll(t, func() (net.Conn, error) { return net.Dial("tcp", addr) })
	if *record {
		if err := os.WriteFile(recorded, []byte(strings.Join(want, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, playAll(t, overTCP(t)), want)
}

// TestSameAsRecorded does the same where there is no ZooKeeper, with what one has answered before.
func TestSameAsRecorded(t *testing.T) {
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, playAll(t, overTCP(t)), strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
}

func overTCP(t *testing.T) dialer {
	s, err := Start("127.0.0.1:0", TickTime(500*time.Millisecond), FirstZxid(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return func() (net.Conn, error) { return net.Dial("tcp", s.Addr().String()) }
}

// playAll runs all scripts on one server.
func playAll(t *testing.T, dial dialer) []string {
	var lines []string
	for _, s := range scripts {
		log := newTranscript()
		s.run(t, log, dial)
		lines = append(append(lines, "= "+s.name), log.lines...)
	}
	return lines
}

// compare reports the first lines that differ; those after them mostly follow.
func compare(t *testing.T, have, want []string) {
	t.Helper()
	script, differences := "", 0
	for i := range max(len(have), len(want)) {
		h, w := line(have, i), line(want, i)
		if strings.HasPrefix(w, "= ") {
			script = w[2:]
		}
		if h == w {
			continue
		}
		t.Errorf("%s, line %d\nhave %s\nwant %s", script, i+1, h, w)
		if differences++; differences == 5 {
			t.Fatal("and so on")
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// TestExpiryTimes measures on both servers when a session ends that nobody keeps alive: between its
// timeout and a tick later, seen from outside.
func TestExpiryTimes(t *testing.T) {
	addr := realServer(t)
	for name, dial := range map[string]dialer{
		"real": func() (net.Conn, error) { return net.Dial("tcp", addr) },
		"dev":  overTCP(t),
	} {
		log := newTranscript()
		watcher, mortal := log.join(t, dial, "watcher"), log.open(t, dial, "mortal")
		watcher.addWatch("/mortal", 0)
		mortal.connect(connectRequest{timeout: 1000})
		start := time.Now()
		mortal.create("/mortal", "", 1)
		for range 2 { // created, deleted
			watcher.read()
		}
		const tick = 500 * time.Millisecond
		const slack = 3 * tick // for a busy machine
		if took := time.Since(start); took < mortal.timeout || took > mortal.timeout+tick+slack {
			t.Errorf("%s: expired after %v, want between %v and %v", name, took, mortal.timeout,
				mortal.timeout+tick)
		}
	}
}
