package zktest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// quiet is how long a test waits to see that nothing comes.
const quiet = 50 * time.Millisecond

func echo(conn *net.TCPConn) { io.Copy(conn, conn) }

func echoProxy(
	t *testing.T,
) *zktest.Proxy {
	return zktest.NewProxy(t, transporttest.Serve(t, echo))
}

// dial connects with a deadline far beyond what any test needs.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("send %q: %v", text, err)
	}
}

func wantText(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	have := make([]byte, len(want))
	if n, err := io.ReadFull(conn, have); err != nil || string(have) != want {
		t.Fatalf("want %q, have %q, error %v", want, have[:n], err)
	}
}

func wantQuiet(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(quiet))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("want nothing, have %d bytes, error %v", n, err)
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
}

func wantEnd(t *testing.T, conn net.Conn, want error) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Fatalf("want %v, have %d bytes, error %v", want, n, err)
	}
}
