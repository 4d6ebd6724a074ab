package zk

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// sent is a frameReader and replyCheck after a handshake, which wait for the
// reply to a request of the given number.
func sent(opcode uint32) *guard {
	g := newGuard(nil, time.Minute, func(handshake) {})
	g.reader.pass(connectReply(4*time.Second, 9))
	g.replies.sent(request(word(5), opcode, []byte("/go_servers"), nil))
	return g
}

// list is the body of a reply to a getChildren2.
func list(count uint32, names ...string) []byte {
	b := word(count)
	for _, name := range names {
		b = append(append(b, word(uint32(len(name)))...), name...)
	}
	return append(b, make([]byte, 68)...) // the Stat
}

// multi is the body of a reply to a multi; each result is an operation and what
// stands after its header.
func multi(results ...string) []byte {
	var b []byte
	for _, r := range results {
		b = append(b, r[:4]...)
		b = append(b, 0)          // not the end
		b = append(b, 0, 0, 0, 0) // an error code that nobody reads
		b = append(b, r[4:]...)
	}
	return append(append(b, word(1<<32-1)...), 1, 255, 255, 255, 255)
}

// frames are what a server may send after a handshake.
var frames = map[string]struct {
	opcode uint32 // of request 5
	sent   []byte
	bad    string // part of the error; "" if it passes
}{
	"ping":             {opSync, answer(-2, 0), ""},
	"event":            {opSync, answer(-1, 0, list(0)...), ""},
	"an empty list":    {opGetChildren2, answer(5, 0, list(0)...), ""},
	"a list":           {opGetChildren2, answer(5, 0, list(2, alice, bob)...), ""},
	"two replies":      {opGetChildren2, slices.Concat(answer(5, 0, list(1, alice)...), answer(6, 0)), ""},
	"no such node":     {opGetChildren2, answer(5, -101), ""},
	"not a list":       {opSync, answer(5, 0, word(1<<31-1)...), ""},
	"another's list":   {opGetChildren2, answer(6, 0, word(1<<31-1)...), ""},
	"most names":       {opGetChildren2, answer(5, 0, slices.Concat(word(17), make([]byte, 68))...), ""},
	"too many names":   {opGetChildren2, answer(5, 0, slices.Concat(word(18), make([]byte, 68))...), "18 names"},
	"2^31-1 names":     {opGetChildren2, answer(5, 0, list(1<<31-1)...), "2147483647 names"},
	"-1 names":         {opGetChildren2, answer(5, 0, list(1<<32-1)...), "4294967295 names"},
	"-2^31 names":      {opGetChildren2, answer(5, 0, list(1<<31)...), "2147483648 names"},
	"no count":         {opGetChildren2, answer(5, 0), "frame of 16 bytes"},
	"half a count":     {opGetChildren2, answer(5, 0, 0, 0), "frame of 18 bytes"},
	"data":             {opGetData, answer(5, 0, list(0)...), ""},
	"no data":          {opGetData, answer(5, 0, list(1<<32-1)...), ""}, // null
	"endless data":     {opGetData, answer(5, 0, list(1<<31-1)...), "2147483647 bytes"},
	"data, no length":  {opGetData, answer(5, 0), "frame of 16 bytes"},
	"a takeover":       {opMulti, answer(5, 0, multi("\x00\x00\x00\x02", "\x00\x00\x00\x01\x00\x00\x00\x01/")...), ""},
	"failed takeover":  {opMulti, answer(5, 0, multi("\xff\xff\xff\xff\xff\xff\xff\x99", "\xff\xff\xff\xff\xff\xff\xff\x99")...), ""},
	"refused multi":    {opMulti, answer(5, -102), ""},
	"multi, no end":    {opMulti, answer(5, 0, slices.Concat(word(2), []byte{0}, word(0))...), errMulti.Error()},
	"multi, a number":  {opMulti, answer(5, 0, word(2)...), errMulti.Error()}, // go-zookeeper panics
	"multi, empty":     {opMulti, answer(5, 0), errMulti.Error()},
	"multi, long path": {opMulti, answer(5, 0, multi("\x00\x00\x00\x01\x7f\xff\xff\xff/")...), errMulti.Error()},
	"multi, no path":   {opMulti, answer(5, 0, slices.Concat(word(1), []byte{0}, word(0), []byte("\x00\x00"))...), "operation 1"},
	"multi, no error":  {opMulti, answer(5, 0, slices.Concat(word(1<<32-1), []byte{0}, word(0))...), errMulti.Error()},
	"multi, setData":   {opMulti, answer(5, 0, multi("\x00\x00\x00\x05")...), "operation 5"},
	"multi, too long":  {opMulti, answer(5, 0, make([]byte, 5000)...), errMulti.Error()},
	"short":            {opSync, frame(make([]byte, 15)), "frame of 15 bytes"},
	"empty":            {opSync, frame(nil), "frame of 0 bytes"},
	"long":             {opSync, word(mostFrame + 1), "frame of 16777217 bytes"},
	"huge":             {opSync, word(1<<32 - 1), "frame of"},
	"a bad second one": {opSync, slices.Concat(answer(5, 0), word(3)), "frame of 3 bytes"},
}

// Every frame is judged alike, however the stream is cut in two.
func TestFrames(t *testing.T) {
	for name, c := range frames {
		t.Run(name, func(t *testing.T) {
			for at := range len(c.sent) {
				g := sent(c.opcode)
				err := errors.Join(g.reader.pass(c.sent[:at]), g.reader.pass(c.sent[at:]))
				if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
					t.Fatalf("cut at %d: want %q, have %v", at, c.bad, err)
				}
			}
		})
	}
}

// A server's word that it does not know addWatch is taken for that request only.
func TestNoAddWatch(t *testing.T) {
	for name, c := range map[string]struct {
		opcode uint32
		reply  []byte
		want   bool
	}{
		"an addWatch":      {opAddWatch, answer(5, codeUnimplemented), true},
		"a sync":           {opSync, answer(5, codeUnimplemented), false},
		"another request":  {opAddWatch, answer(6, codeUnimplemented), false},
		"another error":    {opAddWatch, answer(5, -102), false},
		"a watch that was": {opAddWatch, answer(5, 0), false},
	} {
		g := sent(c.opcode)
		if err := g.reader.pass(c.reply); err != nil || g.replies.noAddWatch() != c.want {
			t.Errorf("%s: want %t, have %t, %v", name, c.want, g.replies.noAddWatch(), err)
		}
	}
}

// Requests that were answered are not kept.
func TestReplyCheckForgets(t *testing.T) {
	var c replyCheck
	for xid := range uint32(1000) {
		c.sent(request(word(xid), opGetChildren2, []byte("/"), nil))
		if err := c.received(20, answer(int32(xid), 0, word(0)...)[4:]); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.pending); n != 0 {
		t.Errorf("pending: want none, have %d", n)
	}
}

// FuzzFrameReader sends anything after a handshake, cut into pieces of a given
// size: the verdict does not depend on the pieces.
func FuzzFrameReader(f *testing.F) {
	for _, c := range frames {
		f.Add(c.sent, 3, c.opcode)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece int, opcode uint32) {
		whole, pieces := sent(opcode), sent(opcode)
		want := whole.reader.pass(stream)
		var have error
		for part := range slices.Chunk(stream, max(1, piece%100)) {
			if have = pieces.reader.pass(part); have != nil {
				break
			}
		}
		if (want == nil) != (have == nil) || want != nil && want.Error() != have.Error() {
			t.Errorf("want %v, have %v", want, have)
		}
		if whole.replies.noAddWatch() != pieces.replies.noAddWatch() {
			t.Error("age of the server: depends on the pieces")
		}
	})
}
