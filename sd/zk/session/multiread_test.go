package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

// On a real server, which knows multiRead since ZooKeeper 3.6: many nodes, some of which are
// missing, empty, or longer together than a reply may be.
func TestMultiReadOnZooKeeper(t *testing.T) {
	s, err := New(Config{Hosts: []string{zktest.Start(t).Addr()}, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(nil)
	defer s.Close()
	c := waitFor(t, s)
	var paths []string
	megabyte := bytes.Repeat([]byte("x"), 1000000)
	for n := range 1300 {
		path := fmt.Sprintf("/node%d", n)
		data := []byte(path)
		switch {
		case n%100 == 7:
			data = nil
		case n > 600 && n < 640: // 39 MB in the second request
			data = megabyte
		}
		if n%100 != 9 {
			if _, err := c.Create(path, data, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
				t.Fatal(err)
			}
		}
		paths = append(paths, path)
	}
	reads, err := c.MultiRead(paths)
	if err != nil || len(reads) != len(paths) {
		t.Fatalf("want %d reads, have %d, %v", len(paths), len(reads), err)
	}
	for n, read := range reads {
		want, stat, err := c.Get(paths[n])
		if !bytes.Equal(want, read.Data) || !errors.Is(read.Err, err) || err == nil && read.Stat != *stat {
			t.Errorf("%s: want %.20q, %+v, %v, have %.20q, %+v, %v", paths[n], want, stat, err, read.Data, read.Stat, read.Err)
		}
	}
	if reads, err := c.MultiRead(nil); len(reads) != 0 || err != nil {
		t.Errorf("of nothing: want nothing, have %v, %v", reads, err)
	}
	if c.Err() != nil {
		t.Errorf("want the Conn up, have %v", c.Err())
	}
}

// waitFor waits in real time until s has a Conn.
func waitFor(t *testing.T, s *Session) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		c, err := s.Wait(ctx)
		if err == nil {
			return c
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// reader is a guard to which a multiRead of n paths was given, as request 5, and what it sent.
func reader(n int, pieces ...[]byte) (*guard, *multiRead) {
	g := sent(opSync, pieces...)
	g.Conn.(*stream).sink = io.Discard
	read := g.replies.prepare(slices.Repeat([]string{"/a"}, n))
	g.Write(request(word(5), opSync, []byte(read.mark), nil))
	return g, read
}

// result encodes the result of one read.
func result(op uint32, body ...byte) []byte {
	return slices.Concat(word(op), []byte{0}, word(0), body)
}

var (
	endOfReads = slices.Concat(word(1<<32-1), []byte{1}, word(1<<32-1))
	noNode     = result(1<<32-1, word(1<<32-101)...)
	plain      = result(opGetData, slices.Concat(word(1), []byte("x"), make([]byte, 68))...)
)

// Whatever stands in the reply, the library gets an empty path, and the caller whole results or an
// error.
func TestMultiReadReplies(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want string // of the two reads, or the error
	}{
		"two":          {slices.Concat(plain, noNode, endOfReads), "[x <nil>] [ zk: node does not exist]"},
		"null data":    {slices.Concat(result(opGetData, slices.Concat(word(1<<32-1), make([]byte, 68))...), plain, endOfReads), "[ <nil>] [x <nil>]"},
		"unknown code": {slices.Concat(result(1<<32-1, word(1<<32-110)...), plain, endOfReads), "[ zk: node already exists] [x <nil>]"},
		"one":          {slices.Concat(plain, endOfReads), "1 whole results for 2 nodes"},
		"three":        {slices.Concat(plain, plain, plain, endOfReads), "3 whole results for 2 nodes"},
		"no end":       {slices.Concat(plain, plain), "2 whole results for 2 nodes"},
		"nothing":      {nil, "0 whole results"},
		"endless data": {result(opGetData, word(1<<31-1)...), "whole results"},
		"half a Stat":  {slices.Concat(plain, plain[:40], endOfReads)[:90], "whole results"},
		"another":      {result(opExists, make([]byte, 68)...), "result of operation 3"},
	} {
		for at := 1; at <= len(c.body)+20; at += 7 {
			reply := answer(5, 0, c.body...)
			g, read := reader(2, slices.Concat(reply, answer(6, 0))[:at], slices.Concat(reply, answer(6, 0))[at:])
			passed, bad := verdict(g)
			if want := slices.Concat(answer(5, 0, word(0)...), answer(6, 0)); !bytes.Equal(want, passed) || bad != nil {
				t.Fatalf("%s, cut at %d: want %q handed on, have %q, %v", name, at, want, passed, bad)
			}
			body, answered, err := read.result()
			if !answered || err != nil {
				t.Fatalf("%s: want a body, have %t, %v", name, answered, err)
			}
			reads, err := decodeReads(body, 2)
			have := fmt.Sprint(err)
			if err == nil {
				have = fmt.Sprintf("[%s %v] [%s %v]", reads[0].Data, reads[0].Err, reads[1].Data, reads[1].Err)
			}
			if !strings.Contains(have, c.want) {
				t.Fatalf("%s: want %s, have %s", name, c.want, have)
			}
			g.replies.forget(read)
			if len(g.replies.reads)+len(g.replies.readOf)+len(g.replies.pending) != 0 {
				t.Fatalf("%s: want nothing kept, have %+v", name, g.replies)
			}
		}
	}
}

// A reply that is too long is skipped, and the connection goes on.
func TestMultiReadTooLong(t *testing.T) {
	long := answer(5, 0, make([]byte, maxFrame)...)
	g, read := reader(2, long, answer(6, 0))
	passed, bad := verdict(g)
	if want := slices.Concat(answer(5, 0, word(0)...), answer(6, 0)); !bytes.Equal(want, passed) || bad != nil {
		t.Errorf("want %q handed on, have %q, %v", want, passed, bad)
	}
	if _, _, err := read.result(); !errors.Is(err, ErrTooLong) {
		t.Errorf("want %v, have %v", ErrTooLong, err)
	}
}

// A server that does not answer but closes the connection is asked twice; one that has answered
// once is not doubted.
func TestMultiReadThatIsCutOff(t *testing.T) {
	inLab(t, one, func(l *lab) {
		var cutting bool
		l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := l.Dial(ctx, "tcp", address)
			return &cutsMultiRead{conn, &cutting}, err
		})
		s, c := l.connected()
		cutting = true
		for n := range 3 {
			_, err := c.MultiRead([]string{directory})
			if want := n > 0; errors.Is(err, ErrNoMultiRead) != want || err == nil {
				t.Errorf("request %d: want %v: %t, have %v", n+1, ErrNoMultiRead, want, err)
			}
			wait.Pass(time.Second)
			c = l.conn(s, 5*time.Second)
		}
		if _, err := c.MultiRead([]string{directory}); !errors.Is(err, ErrNoMultiRead) || c.Err() != nil {
			t.Errorf("afterwards: want %v without a request, have %v, %v", ErrNoMultiRead, err, c.Err())
		}
	})
}

// cutsMultiRead closes the connection at a multiRead.
type cutsMultiRead struct {
	net.Conn
	cutting *bool
}

func (c *cutsMultiRead) Write(b []byte) (int, error) {
	if *c.cutting && len(b) > 12 && binary.BigEndian.Uint32(b[8:]) == opMultiRead {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// A Conn that goes down with a multiRead under way ends it.
func TestMultiReadOnAConnThatGoesDown(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, c := l.connected()
		l.Freeze()
		done := make(chan error, 1)
		go func() {
			_, err := c.MultiRead([]string{directory})
			done <- err
		}()
		synctest.Wait()
		l.Disconnect()
		if err := <-done; err == nil {
			t.Error("want an error, have none")
		}
		l.Thaw()
	})
}

// FuzzDecodeReads decodes anything: whole results or an error, and never more than there was.
func FuzzDecodeReads(f *testing.F) {
	f.Add(slices.Concat(plain, noNode, endOfReads), 2)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		reads, err := decodeReads(body, min(max(n, 0), 100))
		total := 0
		for _, r := range reads {
			total += len(r.Data)
		}
		if err == nil && len(reads) != min(max(n, 0), 100) || total > len(body) {
			t.Errorf("want %d reads of %d bytes at most, have %d of %d, %v", n, len(body), len(reads), total, err)
		}
	})
}
