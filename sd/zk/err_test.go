package zk_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

// Why there is no session is known as soon as a server has refused one.
func TestErr(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	target, err := sd.ParseTarget("zk://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	b, err := zk.OpenBackend(target)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	begin := time.Now()
	for !errors.Is(b.Err(), syscall.ECONNREFUSED) {
		if time.Since(begin) > 900*time.Millisecond {
			t.Fatalf("want a refused connection told within a second, have %v", b.Err())
		}
		time.Sleep(time.Millisecond)
	}
	if err := b.Err(); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("want %v, have %v", session.ErrNoSession, err)
	}
	server, err := zkdev.Start(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for b.Err() != nil {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("want no error once there is a session, have %v", b.Err())
		}
		time.Sleep(time.Millisecond)
	}
}
