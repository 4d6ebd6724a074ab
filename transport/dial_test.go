package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// deadPort returns an address on which nobody listens.
func deadPort(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr)
}

// A socket that is bound to the address it dials connects to itself, as an unbound one does once in
// some ten thousand calls of a dead port.
func TestConnectionToItselfIsRefused(t *testing.T) {
	for range 20 {
		addr := deadPort(t)
		client := NewDaytimeClient(addr.String(), ClientBefore(
			func(ctx context.Context, conn net.Conn) context.Context {
				t.Error("want no byte sent")
				return ctx
			}), ClientFinalizer(func(_ context.Context, conn net.Conn, _ error) {
			if conn != nil {
				t.Error("want no connection")
			}
		}))
		client.dialer.LocalAddr = addr
		response, err := client.Endpoint()(t.Context(), nil)
		var failed *Error
		if !errors.Is(err, ErrConnect) || !errors.Is(err, syscall.ECONNREFUSED) ||
			!errors.As(err, &failed) {
			t.Fatalf("want a refused connection, have %v, %v", response, err)
		}
		if !failed.Unsent() {
			t.Errorf("want unsent, have %v", err)
		}
		l, err := net.Listen("tcp", addr.String()) // which needs a port that is free
		if err != nil {
			t.Fatalf("want the port back, have %v", err)
		}
		l.Close()
	}
}

// A server that restarts finds its port free, though a client of its predecessor's ghost connected
// to itself and hung up in the ordinary way, as package net does before it dials again.
func TestListenBesideTimeWait(t *testing.T) {
	addr := deadPort(t)
	dialer := newDialer()
	dialer.LocalAddr = addr
	conn, err := dialer.DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if !toItself(conn) {
		t.Fatalf("want a connection to itself, have %v to %v", conn.LocalAddr(), conn.RemoteAddr())
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	io.WriteString(conn, "timestamp")
	conn.Close()
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatalf("want the port back, have %v", err)
	}
	l.Close()
}
