package zk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/transport/transporttest"
)

// pair reads a certificate and its key.
func pair(t testing.TB, cert, key string) []tls.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{p}
}

// A terminator speaks TLS in front of a server in memory.
type terminator struct {
	w      *world
	config atomic.Pointer[tls.Config]
}

// terminate returns a terminator whose certificate is for name.
func (w *world) terminate(a *transporttest.Authority, name string, valid time.Duration) *terminator {
	w.t.Helper()
	cert, key := a.Issue(name, valid)
	m := &terminator{w: w}
	m.config.Store(&tls.Config{Certificates: pair(w.t, cert, key)})
	return m
}

// Dial is a zk.DialFunc.
func (m *terminator) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	behind, err := m.w.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	secured := tls.Server(newBuffered(server), m.config.Load())
	go func() {
		io.Copy(behind, secured)
		behind.Close()
		io.Copy(io.Discard, server) // as a kernel would: the client may be writing
	}()
	go func() {
		io.Copy(secured, behind)
		secured.Close()
	}()
	return client, nil
}

// A buffered connection does not make a writer wait for the reader, as TCP does not. TLS relies on
// that: both sides may write at once.
type buffered struct {
	net.Conn
	queue chan []byte
	done  chan struct{}
	once  sync.Once
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, queue: make(chan []byte, 1000), done: make(chan struct{})}
	go b.send() // until Close
	return b
}

// send lets what was written arrive, if somebody reads, also after Close: an alert is the last
// thing that a server says.
func (b *buffered) send() {
	defer b.Conn.Close()
	for closed := false; ; {
		select {
		case packet := <-b.queue:
			b.Conn.Write(packet)
			continue
		default:
		}
		if closed {
			return
		}
		select {
		case packet := <-b.queue:
			b.Conn.Write(packet)
		case <-b.done:
			closed = true
		}
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.queue <- bytes.Clone(p):
		return len(p), nil
	case <-b.done:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() {
		b.SetWriteDeadline(time.Now().Add(time.Second))
		close(b.done)
	})
	return nil
}
