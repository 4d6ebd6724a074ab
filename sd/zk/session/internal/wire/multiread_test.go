package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	gozk "github.com/go-zookeeper/zk"
)

// reader is a guard to which a multiRead of n paths was given, as request 5, and what it sent.
func reader(n int, pieces ...[]byte) (*Guard, *MultiRead) {
	g := sent(opSync, pieces...)
	g.Conn.(*stream).sink = io.Discard
	read := g.Requests.Prepare(slices.Repeat([]string{"/a"}, n))
	g.Write(request(word(5), opSync, []byte(read.Mark), nil))
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
		"two":          {slices.Concat(plain, noNode, endOfReads), "[x 0][ -101]"},
		"null data":    {slices.Concat(result(opGetData, slices.Concat(word(1<<32-1), make([]byte, 68))...), plain, endOfReads), "[ 0][x 0]"},
		"unknown code": {slices.Concat(result(1<<32-1, word(1<<32-110)...), plain, endOfReads), "[ -110][x 0]"},
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
			body, answered, err := read.Result()
			if !answered || err != nil {
				t.Fatalf("%s: want a body, have %t, %v", name, answered, err)
			}
			have := ""
			err = EachRead(body, 2, func(data []byte, _ gozk.Stat, code Code) { have += fmt.Sprintf("[%s %d]", data, code) })
			if err != nil {
				have = err.Error()
			}
			if !strings.Contains(have, c.want) {
				t.Fatalf("%s: want %s, have %s", name, c.want, have)
			}
			g.Requests.Forget(read)
			if len(g.Requests.reads)+len(g.Requests.readOf)+len(g.Requests.pending) != 0 {
				t.Fatalf("%s: want nothing kept, have %+v", name, g.Requests)
			}
		}
	}
}

// A reply that is too long is skipped, and the connection goes on.
func TestMultiReadTooLong(t *testing.T) {
	long := answer(5, 0, make([]byte, MaxFrame)...)
	g, read := reader(2, long, answer(6, 0))
	passed, bad := verdict(g)
	if want := slices.Concat(answer(5, 0, word(0)...), answer(6, 0)); !bytes.Equal(want, passed) || bad != nil {
		t.Errorf("want %q handed on, have %q, %v", want, passed, bad)
	}
	if _, _, err := read.Result(); !errors.Is(err, ErrTooLong) {
		t.Errorf("want %v, have %v", ErrTooLong, err)
	}
}

// FuzzEachRead decodes anything: whole results or an error, and never more than was asked for, or
// than there was.
func FuzzEachRead(f *testing.F) {
	f.Add(slices.Concat(plain, noNode, endOfReads), 2)
	f.Add(slices.Concat(noNode, noNode, noNode), 1)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		n = min(max(n, 0), 100)
		reads, total := 0, 0
		err := EachRead(body, n, func(data []byte, _ gozk.Stat, _ Code) { reads, total = reads+1, total+len(data) })
		if err == nil && reads != n || reads > n || total > len(body) {
			t.Errorf("want %d reads of %d bytes at most, have %d of %d, %v", n, len(body), reads, total, err)
		}
	})
}
