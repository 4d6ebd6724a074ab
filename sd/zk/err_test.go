package zk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
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
		fastest = min(fastest, wait.For(t, 10*time.Second, func() error {
			return told(b, syscall.ECONNREFUSED)
		}))
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
	wait.For(t, 10*time.Second, b.Err) // until there is a session
}

// told returns nil once b tells of why, and what it tells before.
func told(b *zk.Backend, why error) error {
	if err := b.Err(); !errors.Is(err, why) {
		return fmt.Errorf("want %v told, have %v", why, err)
	}
	return nil
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
		wait.For(t, 10*time.Second, func() error { return told(b, sd.ErrNoDirectory) })
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
