package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/transport"
)

// tiny makes the buffers and the segments of a socket as small as the kernel lets them be.
func tiny(_, _ string, conn syscall.RawConn) (err error) {
	fail := conn.Control(func(fd uintptr) {
		err = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 88),
		)
	})
	return errors.Join(fail, err)
}

// The kernel may take a part of a short reply at once. The rest follows, and nothing comes twice.
func TestReplyThatTheKernelTakesInParts(t *testing.T) {
	config := net.ListenConfig{Control: tiny}
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("0123456789abcdef", 128)
	encode := func(_ context.Context, w io.Writer, v any) error {
		_, err := io.WriteString(w, v.(string))
		return err
	}
	outcome := make(chan error, 1)
	server := transport.NewServer(say(want), nil, encode,
		transport.ServerFinalizer(func(_ context.Context, _ net.Conn, err error) { outcome <- err }))
	go server.Serve(l)
	defer shutdownTimeout(server, bound)

	dialer := net.Dialer{Control: tiny, Timeout: bound}
	conn, err := dialer.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	have, err := io.ReadAll(conn)
	if string(have) != want || err != nil {
		t.Errorf("want %d bytes, have %d, %v", len(want), len(have), err)
	}
	if err := <-outcome; err != nil {
		t.Errorf("want the reply sent, have %v", err)
	}
}
