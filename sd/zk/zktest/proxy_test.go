package zktest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

func TestProxyForwardsAndCounts(t *testing.T) {
	proxy := echoProxy(t)
	conn := dial(t, proxy.Addr())
	send(t, conn, "hello")
	wantText(t, conn, "hello")
	send(t, conn, "you")
	wantText(t, conn, "you")
	want := [4]int64{1, 1, 8, 8}
	wait.True(t, "count of all bytes", func() bool { return counts(proxy) == want })

	proxy.Forget()
	if want, have := [4]int64{0, 1, 0, 0}, counts(proxy); want != have {
		t.Errorf("after Forget: want %v, have %v", want, have)
	}
	conn.Close()
	wait.True(t, "end of the link", func() bool { return proxy.Open() == 0 })
}

// counts are connections accepted and open, and bytes to the target and to the client.
func counts(p *zktest.Proxy) [4]int64 {
	return [4]int64{int64(p.Accepted()), int64(p.Open()), p.Bytes(zktest.ToTarget),
		p.Bytes(zktest.ToClient)}
}

func TestProxyPassesHalfCloseOn(t *testing.T) {
	proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
		got, _ := io.ReadAll(conn) // returns only when the client has half-closed
		conn.Write(append(got, '!'))
	}))
	conn := dial(t, proxy.Addr())
	send(t, conn, "timestamp")
	conn.CloseWrite()
	wantText(t, conn, "timestamp!")
	wantEnd(t, conn, io.EOF)
}

func TestProxyPassesResetOn(t *testing.T) {
	proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
		conn.Read(make([]byte, 1))
		conn.SetLinger(0)
	}))
	conn := dial(t, proxy.Addr())
	send(t, conn, "x")
	wantEnd(t, conn, syscall.ECONNRESET)
}

func TestProxyWithoutTargetResets(t *testing.T) {
	proxy := zktest.NewProxy(t, "127.0.0.1:1") // tcpmux: nobody's
	err := firstRead(proxy.Addr())
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("want %v, have %v", syscall.ECONNRESET, err)
	}
}

func TestProxyEndsConnections(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*zktest.Proxy)
		want error
	}{
		"Cut":   {(*zktest.Proxy).Cut, io.EOF},
		"Reset": {(*zktest.Proxy).Reset, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			targetSaw := make(chan error, 1)
			proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
				conn.Write([]byte("up"))
				_, err := conn.Read(make([]byte, 1))
				targetSaw <- err
			}))
			first := dial(t, proxy.Addr())
			wantText(t, first, "up")
			test.end(proxy)
			wantEnd(t, first, test.want)
			if err := <-targetSaw; !errors.Is(err, test.want) {
				t.Errorf("target: want %v, have %v", test.want, err)
			}
			wantText(t, dial(t, proxy.Addr()), "up") // new connections work
			test.end(proxy)
			<-targetSaw
		})
	}
}

func TestProxyRefuse(t *testing.T) {
	proxy := echoProxy(t)
	before := dial(t, proxy.Addr())
	send(t, before, "a")
	wantText(t, before, "a")

	proxy.Refuse()
	proxy.Refuse() // twice is once
	if _, err := net.Dial("tcp", proxy.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: want %v, have %v", syscall.ECONNREFUSED, err)
	}
	send(t, before, "b")
	wantText(t, before, "b")

	proxy.Heal()
	after := dial(t, proxy.Addr())
	send(t, after, "c")
	wantText(t, after, "c")
}

func TestProxyHang(t *testing.T) {
	proxy := echoProxy(t)
	before := dial(t, proxy.Addr())
	proxy.Refuse()
	proxy.Hang() // opens the port again
	hung := dial(t, proxy.Addr())
	send(t, hung, "x")
	wantQuiet(t, hung)
	send(t, before, "y")
	wantText(t, before, "y")

	proxy.Heal()
	wantQuiet(t, hung)
	after := dial(t, proxy.Addr())
	send(t, after, "z")
	wantText(t, after, "z")

	proxy.Cut()
	wantEnd(t, hung, io.EOF)
}

func TestProxyStall(t *testing.T) {
	for name, test := range map[string]struct {
		directions []zktest.Direction
		arrived    int64 // at the target, of one byte
	}{
		"both":      {nil, 0},
		"to target": {[]zktest.Direction{zktest.ToTarget}, 0},
		"to client": {[]zktest.Direction{zktest.ToClient}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := echoProxy(t)
			before := dial(t, proxy.Addr())
			wait.True(t, "link", func() bool { return proxy.Open() == 1 })
			proxy.Stall(test.directions...)
			after := dial(t, proxy.Addr())
			send(t, before, "b")
			before.CloseWrite()
			wantQuiet(t, before)
			if want, have := test.arrived, proxy.Bytes(zktest.ToTarget); want != have {
				t.Errorf("arrived: want %d bytes, have %d", want, have)
			}
			send(t, after, "a")
			wantQuiet(t, after)

			proxy.Heal()
			wantText(t, before, "b") // nothing is lost,
			wantEnd(t, before, io.EOF)
			wantText(t, after, "a") // on no connection
		})
	}
}

// The end that resets a connection is heard of by the other, whatever is held on the way back.
func TestProxyPassesResetOnWhileTheOtherDirectionStalls(t *testing.T) {
	targetSaw := make(chan error, 1)
	proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
		conn.Write([]byte("up"))
		_, err := conn.Read(make([]byte, 1))
		targetSaw <- err
	}))
	conn := dial(t, proxy.Addr())
	wantText(t, conn, "up")
	proxy.Stall(zktest.ToClient)
	conn.SetLinger(0)
	conn.Close()
	select {
	case err := <-targetSaw:
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("target: want %v, have %v", syscall.ECONNRESET, err)
		}
	case <-time.After(5 * time.Second):
		t.Error("target: want the reset, have nothing")
	}
}

func TestProxyCutEndsStalledConnection(t *testing.T) {
	proxy := echoProxy(t)
	proxy.Stall()
	conn := dial(t, proxy.Addr())
	send(t, conn, "held")
	wait.True(t, "link", func() bool { return proxy.Open() == 1 })
	proxy.Cut()
	wantEnd(t, conn, io.EOF)
	if want, have := int64(0), proxy.Bytes(zktest.ToTarget); want != have {
		t.Errorf("arrived: want %d bytes, have %d", want, have)
	}
}

func TestProxyDelay(t *testing.T) {
	const delay = 30 * time.Millisecond
	proxy := echoProxy(t)
	proxy.Delay(delay)
	conn := dial(t, proxy.Addr())
	begin := time.Now()
	send(t, conn, "x")
	wantText(t, conn, "x")
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("round trip: want at least %v, have %v", 2*delay, took)
	}
}

func TestProxyCutAfter(t *testing.T) {
	const size = 5
	for n := range size + 2 {
		received := make(chan int, 2)
		proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
			got, _ := io.ReadAll(conn)
			received <- len(got)
		}))
		proxy.CutAfter(zktest.ToTarget, n)
		conn := dial(t, proxy.Addr())
		send(t, conn, "12345")
		if n > size {
			conn.CloseWrite() // nothing has been cut
		}
		wantEnd(t, conn, io.EOF)
		if want, have := min(n, size), <-received; want != have {
			t.Errorf("cut after %d of %d bytes: target wants %d, have %d", n, size, want, have)
		}
	}
}

func TestProxyCutAfterHappensOnce(t *testing.T) {
	proxy := echoProxy(t)
	proxy.CutAfter(zktest.ToClient, 3)
	first, second := dial(t, proxy.Addr()), dial(t, proxy.Addr())
	send(t, first, "ab")
	wantText(t, first, "ab")
	send(t, second, "cd") // the third byte is the second connection's
	wantText(t, second, "c")
	wantEnd(t, second, io.EOF)
	send(t, first, "ef")
	wantText(t, first, "ef")
}

func TestProxyHealForgetsTheCut(t *testing.T) {
	proxy := echoProxy(t)
	proxy.CutAfter(zktest.ToClient, 1)
	proxy.Heal()
	conn := dial(t, proxy.Addr())
	send(t, conn, "whole")
	wantText(t, conn, "whole")
}

func TestProxyCarriesMuch(t *testing.T) {
	proxy := echoProxy(t)
	conn := dial(t, proxy.Addr())
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		conn.Write(want)
		conn.CloseWrite()
	}()
	have, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(want, have) {
		t.Errorf("want the same %d bytes, have %d, error %v", len(want), len(have), err)
	}
}

// The target sends more than all buffers hold, so the proxy is stuck in a write when the cut comes.
func TestProxyCutEndsStuckConnectionInOrder(t *testing.T) {
	t.Parallel()
	proxy := zktest.NewProxy(t, transporttest.Serve(t, func(conn *net.TCPConn) {
		io.Copy(conn, endless{})
	}))
	conn := dial(t, proxy.Addr())
	before := int64(-1)
	wait.True(t, "full buffers", func() bool {
		last := before
		before = proxy.Bytes(zktest.ToClient)
		return last > 0 && last == before
	})
	proxy.Cut()
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("want the end of the stream, have %v", err)
	}
	wait.True(t, "end of the link", func() bool { return proxy.Open() == 0 })
}

// endless is a reader of zeroes.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestProxyInFrontOfZooKeeper(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxy := zktest.NewProxy(t, server.Addr())
	conn := connect(t, proxy.Addr())
	mustCreate(t, conn, "/kept", 0)
	session := conn.SessionID()
	proxy.Reset()
	wait.True(t, "second connection", func() bool {
		return proxy.Accepted() >= 2 && readable(conn, "/kept")
	})
	if want, have := session, conn.SessionID(); want != have {
		t.Errorf("session: want %x, have %x", want, have)
	}
}
