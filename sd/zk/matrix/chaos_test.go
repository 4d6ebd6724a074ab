package matrix

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"example.com/daytime/transport/transporttest"
)

// attemptTimeout is the share of one attempt in the default time of a call.
const attemptTimeout = 2 * time.Second / 3

// chaosRows are daytime servers that misbehave, one after the other on the list of a healthy fleet.
func chaosRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "chaos", plan{})
	f.row("F35", "client sends before and after the reply", func(r *row) {
		for range 20 {
			for _, s := range r.servers {
				if err := chatter(s.instance); err != nil {
					r.Errorf("%s: %v", s.instance, err)
				}
			}
		}
		r.noReset()
	})
	for _, c := range []struct {
		fault  string
		handle func(*net.TCPConn)
	}{
		{"half a line, then nothing", func(c *net.TCPConn) {
			io.WriteString(c, "half a li")
			io.Copy(io.Discard, c)
		}},
		{"a reply without an end", func(c *net.TCPConn) { flood(c) }},
		{"accepts, and sends nothing", func(c *net.TCPConn) { io.Copy(io.Discard, c) }},
		{"reset before any byte", func(c *net.TCPConn) { c.SetLinger(0) }},
		{"512 bytes, no line end, then the end",
			func(c *net.TCPConn) { c.Write(make([]byte, 512)); c.CloseWrite(); io.Copy(io.Discard, c) }},
	} {
		f.row("F36", "server: "+c.fault, func(r *row) { r.misbehave(transporttest.Serve(r, c.handle)) })
	}
	f.row("F37", "server: SYN lost", func(r *row) { r.misbehave(transporttest.Full(r)) })
}

// misbehave lists addr for two seconds. One attempt may time out, no request may fail.
func (r *row) misbehave(addr string) {
	r.Helper()
	r.put(addr)
	r.agree(slack, append(r.instances(), addr)...)
	hold(2 * time.Second)
	r.remove(addr)
	r.converged = r.agree(slack, r.instances()...)
	if latencies := r.tally.peek(); latencies.quantile(0.99) > attemptTimeout+slack {
		r.judge("want p99 at most one attempt late, have %v", latencies.quantile(0.99))
	}
}

// chatter sends before and after it reads the reply, and wants the end of the stream, not a reset.
func chatter(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "before\n"); err != nil {
		return err
	}
	reply := make([]byte, 1)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "after\n"); err != nil {
		return err
	}
	rest, err := io.ReadAll(conn)
	if err == nil && !bytes.HasSuffix(rest, []byte("\r\n")) {
		err = fmt.Errorf("want a line, have %q", rest)
	}
	return err
}

// flood writes up to a gigabyte without a line end.
func flood(c *net.TCPConn) {
	block := bytes.Repeat([]byte("x"), 1<<16)
	for range 1 << 14 {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}
