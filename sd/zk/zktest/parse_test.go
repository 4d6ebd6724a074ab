package zktest

import (
	"errors"
	"net"
	"os"
	"reflect"
	"testing"
	"time"
)

const (
	someSrvr = "Zookeeper version: 3.8.0\nReceived: 22\nConnections: 2\nZxid: 0x100000002\nMode: follower\nNode count: 7\n"
	someMntr = "zk_version\t3.8.0\nzk_avg_latency\t4.8\nzk_watch_count\t12\nzk_watch_bytes\t0\n"
	someCons = " /127.0.0.1:38156[0](queued=0,recved=1,sent=0)\n" +
		" /127.0.0.1:38128[1](queued=0,recved=5,sent=5,sid=0x1000018f9a00000,lop=GETD,to=4000)\n\n"
	someDump = "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at Sun Nov 22 15:43:36 UTC 2026:\n" +
		"\t0x1000018f9a00000\nephemeral nodes dump:\nSessions with Ephemerals (2):\n" +
		"0x1000018f9a00000:\n\t/e\n\t/f with space\n0xffffffffffffffff:\n\t/g\n" +
		"Connections dump:\nConnections Sets (1)/(1):\n\tip: /127.0.0.1:38128 sessionId: 0x1000018f9a00000\n"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		want any
		have func() (any, error)
	}{
		"mode": {"follower", func() (any, error) { return parseMode(someSrvr) }},
		"zxid": {int64(0x100000002), func() (any, error) { return parseZxid(someSrvr) }},
		"metric": {int64(12), func() (any, error) {
			return parseMetric(someMntr, "zk_watch_count")
		}},
		"metric, fraction": {int64(4), func() (any, error) {
			return parseMetric(someMntr, "zk_avg_latency")
		}},
		"sessions":         {1, func() (any, error) { return countSessions(someCons), nil }},
		"sessions, nobody": {0, func() (any, error) { return countSessions(""), nil }},
		"ephemerals": {map[int64][]string{0x1000018f9a00000: {"/e", "/f with space"}, -1: {"/g"}},
			func() (any, error) { return parseEphemerals(someDump) }},
		"ephemerals, empty": {map[int64][]string{},
			func() (any, error) { return parseEphemerals("Sessions with Ephemerals (0):\n") }},
	} {
		have, err := test.have()
		if err != nil || !reflect.DeepEqual(test.want, have) {
			t.Errorf("%s: want %v, have %v, error %v", name, test.want, have, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	const starting = "This ZooKeeper instance is not currently serving requests\n"
	for name, parse := range map[string]func() error{
		"mode while starting": func() error { _, err := parseMode(starting); return err },
		"zxid while starting": func() error { _, err := parseZxid(starting); return err },
		"zxid, no number":     func() error { _, err := parseZxid("Zxid: soon\n"); return err },
		"metric, unknown":     func() error { _, err := parseMetric(someMntr, "zk_watch"); return err },
		"metric, no number": func() error {
			_, err := parseMetric("zk_server_state\tleader\n", "zk_server_state")
			return err
		},
		"ephemerals, other": func() error { _, err := parseEphemerals(starting); return err },
		"ephemerals, no number": func() error {
			_, err := parseEphemerals("Sessions with Ephemerals\n0x1ffffffffffffffff:\n")
			return err
		},
	} {
		if err := parse(); err == nil {
			t.Errorf("%s: want an error, have none", name)
		}
	}
}

// A frozen server's kernel accepts, and nobody answers.
func TestAskIsBounded(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := ask(silent.Addr().String(), "ruok", 20*time.Millisecond); !errors.Is(err,
		os.ErrDeadlineExceeded) {
		t.Errorf("want %v, have %v", os.ErrDeadlineExceeded, err)
	}
}

// FuzzParse: whatever a server answers, a helper returns, and an error comes without a value.
func FuzzParse(f *testing.F) {
	for _, answer := range []string{someSrvr, someMntr, someCons, someDump, ""} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		if owned, err := parseEphemerals(answer); err != nil && owned != nil {
			t.Errorf("ephemerals: %v with error %v", owned, err)
		}
		if mode, err := parseMode(answer); err != nil && mode != "" {
			t.Errorf("mode: %q with error %v", mode, err)
		}
		if n := countSessions(answer); n < 0 || n > len(answer) {
			t.Errorf("%d sessions in %d bytes", n, len(answer))
		}
		_, _ = parseZxid(answer)
		_, _ = parseMetric(answer, "zk_watch_count")
	})
}
