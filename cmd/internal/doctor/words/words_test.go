package words

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const answer = `Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC
Latency min/avg/max: 0/0.5/10
Zxid: 0x100000003
Mode: follower
Node count: 5
`

func ExampleParseSrvr() {
	server, err := ParseSrvr(answer)
	fmt.Println(server.Version, server.Mode, server.Zxid, err)
	// Output: 3.8.0 follower 4294967299 <nil>
}

func TestParseSrvr(t *testing.T) {
	if s, err := ParseSrvr("This ZooKeeper instance is not currently serving " +
		"requests\n"); err != nil || !s.Idle || !s.Known() {
		t.Errorf("want one that does not serve, have %+v, %v", s, err)
	}
	for _, text := range []string{"", "HTTP/1.1 400 Bad Request\r\n",
		"Zookeeper version: 3.8.0\nZxid: many\n"} {
		if s, err := ParseSrvr(text); err == nil || s.Idle {
			t.Errorf("%q: want an error, have %+v", text, s)
		}
	}
	for version, want := range map[string]bool{"3.5.10": true, "2.9": true, "3.6.0": false,
		"3.10.1": false, "4.0": false, "new": false, "": false} {
		if have := OlderThan(version, 3, 6); have != want {
			t.Errorf("%s: want %t, have %t", version, want, have)
		}
	}
}

func TestSessions(t *testing.T) {
	leader := "SessionTracker dump:\nSession Sets (1)/(2):\n2 expire at Sat Nov 28 06:43:54 UTC " +
		"2026:\n\t0x10000dfbbc70001\n\t0xf0000dfbbc70002\n" +
		"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x77:\n\t/go_servers/192.0.2.1:1\n"
	follower := "SessionTracker dump:\nGlobal Sessions(1):\n0x5\t10000ms\nephemeral nodes dump:\n"
	if have, ok := Sessions(leader); !ok || len(have) != 2 || !have[0x10000dfbbc70001] ||
		have[0x77] {
		t.Errorf("leader: have %v, %t", have, ok)
	}
	if have, ok := Sessions(follower); !ok || !have[5] {
		t.Errorf("follower: have %v, %t", have, ok)
	}
	for _, none := range []string{"", "SessionTracker dump:\nGlobal Sessions(0):\nephemeral nodes " +
		"dump:\n", "x"} {
		if have, ok := Sessions(none); ok {
			t.Errorf("%q: want not known, have %v", none, have)
		}
	}
}

// A server that hangs up, one that refuses the word, and one that hangs.
func TestAsk(t *testing.T) {
	for text, want := range map[string]error{
		answer: nil, "": io.EOF, "dump is not executed because it is not in the " +
			"whitelist.\n": ErrNotListed,
	} {
		have, _, err := Speaker{Address: serve(t, text), Timeout: 5 * time.Second}.Ask(t.Context(),
			"srvr")
		if !errors.Is(err, want) || err == nil && have != text {
			t.Errorf("%q: want %v, have %q, %v", text, want, have, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := (Speaker{Address: l.Addr().String(),
		Timeout: 50 * time.Millisecond}).Ask(t.Context(), "srvr"); err == nil {
		t.Error("want an end of a wait for one that hangs")
	}
}

// serve answers one connection with text.
func serve(t *testing.T, text string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.ReadFull(conn, make([]byte, 4))
		io.WriteString(conn, text)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func FuzzParse(f *testing.F) {
	f.Add(answer)
	f.Add("Session Sets (1)/(1):\n\t0x1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSrvr(text); err == nil && !s.Known() {
			t.Errorf("%q: neither an error nor known", text)
		}
		if sessions, ok := Sessions(text); ok != (len(sessions) > 0) && ok {
			t.Errorf("%q: %v", text, sessions)
		}
	})
}
