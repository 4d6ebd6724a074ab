// Package transporttest has the peers that tests of a TCP client need and no program offers: a
// listener that does with its connections what a test says, one that does not even accept, and an
// address where nobody listens.
package transporttest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Serve runs handle on each connection to addr, a free port of 127.0.0.1, in a goroutine of its own,
// and closes the connection when handle has returned. The end of the test stops the listener and
// waits for the handlers, so each must end by itself once its peer has hung up.
func Serve(tb testing.TB, handle func(*net.TCPConn)) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// Silent is a handler that sends nothing, until the client hangs up.
func Silent(conn *net.TCPConn) { io.Copy(io.Discard, conn) }

// Reply returns a handler that sends text and the end of the stream, and waits for the client to
// hang up. What the client sends is read, so that the kernel resets nothing.
func Reply(text string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		io.WriteString(conn, text)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}
}

// Reset is a handler that resets the connection at once.
func Reset(conn *net.TCPConn) { conn.SetLinger(0) }

// FreeAddress returns an address of 127.0.0.1 where nobody listens. Its port is below those that
// systems lend to outgoing connections, so that it stays free while its server is down.
func FreeAddress(tb testing.TB) (addr string) {
	tb.Helper()
	return FreeAddresses(tb, 1)[0]
}

// FreeAddresses returns n different ones of the kind. Of addresses that are chosen one by one, before
// there are servers, two may be the same: of twenty they are in one of a hundred runs.
func FreeAddresses(tb testing.TB, n int) (addrs []string) {
	tb.Helper()
	for range n {
		l := listenLow(tb)
		defer l.Close() // at the return, so that none comes twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// listenLow listens on a port of which FreeAddress tells.
func listenLow(tb testing.TB) net.Listener {
	tb.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			return l
		}
	}
	tb.Fatal("transporttest: no free port")
	return nil
}
