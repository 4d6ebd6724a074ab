//go:build unix

package transporttest

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// Full returns an address that does not answer a SYN, so that a connect hangs: the queue of its
// listener is full (listen(2), backlog), until the end of the test.
func Full(tb testing.TB) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var listenErr error
	err = raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 0) })
	if err != nil || listenErr != nil {
		tb.Fatalf("transporttest: listen again: %v, %v", err, listenErr)
	}
	for range 10 { // one or two fit, the next hangs
		conn, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if err != nil {
			return l.Addr().String()
		}
		tb.Cleanup(func() { conn.Close() })
	}
	tb.Fatal("transporttest: the queue of the listener does not fill up")
	return ""
}
