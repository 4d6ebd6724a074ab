package zk_test

import (
	"context"
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
	var b *zk.Backend
	fastest := time.Hour // of some: a busy machine may delay one
	for range 3 {
		if b, err = zk.OpenBackend(target); err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		begin := time.Now()
		for !errors.Is(b.Err(), syscall.ECONNREFUSED) {
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("want a refused connection told, have %v", b.Err())
			}
			time.Sleep(time.Millisecond)
		}
		fastest = min(fastest, time.Since(begin))
	}
	if fastest > 900*time.Millisecond {
		t.Errorf("want a refused connection told within a second, have it after %v at best", fastest)
	}
	if err := b.Err(); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("want %v, have %v", session.ErrNoSession, err)
	}
	server, err := zkdev.Start(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	begin := time.Now()
	for b.Err() != nil {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("want no error once there is a session, have %v", b.Err())
		}
		time.Sleep(time.Millisecond)
	}
}

// A missing directory is told while a Watch waits for it, and no longer than that.
func TestErrOfAMissingDirectory(t *testing.T) {
	server, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, mode := range []string{"persistent", "children"} {
		path := "/typo-" + mode
		target, err := sd.ParseTarget("zk://" + server.Addr().String() + path + "?watch=" + mode)
		if err != nil {
			t.Fatal(err)
		}
		b, err := zk.OpenBackend(target)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ctx, cancel := context.WithCancel(t.Context())
		emitted, ended := make(chan struct{}, 1), make(chan error)
		go func() {
			ended <- b.Watch(ctx, sd.Want{}, func(sd.Change) { emitted <- struct{}{} })
		}()
		begin := time.Now()
		for !errors.Is(b.Err(), sd.ErrNoDirectory) {
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("want %v, have %v", sd.ErrNoDirectory, b.Err())
			}
			time.Sleep(time.Millisecond)
		}
		want := "there is no directory " + path + " in the ZooKeeper at " + server.Addr().String() + " (connected); nobody has registered there"
		if have := b.Err().Error(); want != have {
			t.Errorf("want %q, have %q", want, have)
		}
		if err := server.Create(path, nil, 0); err != nil {
			t.Fatal(err)
		}
		<-emitted
		if err := b.Err(); err != nil {
			t.Errorf("want no error once there is a list, have %v", err)
		}
		cancel()
		<-ended
	}
}
