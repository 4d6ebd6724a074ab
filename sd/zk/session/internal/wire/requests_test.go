package wire

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stream is a connection from which the pieces arrive one by one.
type stream struct {
	net.Conn
	pieces [][]byte
	sink   io.Writer // of what is sent
}

func (s *stream) Write(b []byte) (int, error) { return s.sink.Write(b) }

func (s *stream) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *stream) Close() error { return nil }

// cut returns b in pieces of size bytes.
func cut(b []byte, size int) [][]byte { return slices.Collect(slices.Chunk(b, max(1, size))) }

// sent is a guard after a handshake that waits for the reply to request 5, with that opcode.
func sent(opcode uint32, pieces ...[]byte) *Guard {
	hello := connectReply(4*time.Second, 9)
	g := NewGuard(&stream{pieces: append([][]byte{hello}, pieces...)}, time.Minute, func(Handshake) {})
	if _, err := io.ReadFull(g, make([]byte, len(hello))); err != nil {
		panic(err)
	}
	g.Requests.sent(request(word(5), opcode, []byte("/go_servers"), nil))
	return g
}

// verdict returns what a guard hands on of its stream, and what is wrong with the rest.
func verdict(g *Guard) (passed []byte, bad error) {
	passed, _ = io.ReadAll(g)
	return passed, g.Requests.Condemned()
}

// list is the body of a reply to a getChildren2.
func list(count uint32, names ...string) []byte {
	b := word(count)
	for _, name := range names {
		b = append(append(b, word(uint32(len(name)))...), name...)
	}
	return append(b, make([]byte, 68)...) // the Stat
}

// multi is the body of a reply to a multi; each result is an operation and what stands after its
// header.
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
	"a list":           {opGetChildren2, answer(5, 0, list(2, "192.0.2.1:8897", "192.0.2.2:8897")...), ""},
	"two replies":      {opGetChildren2, slices.Concat(answer(5, 0, list(1, "192.0.2.1:8897")...), answer(6, 0)), ""},
	"no such node":     {opGetChildren2, answer(5, -101), ""},
	"not a list":       {opSync, answer(5, 0, word(1<<31-1)...), ""},
	"another's list":   {opGetChildren2, answer(6, 0, word(1<<31-1)...), ""},
	"most names":       {opGetChildren2, answer(5, 0, slices.Concat(word(17), make([]byte, 68))...), ""},
	"too many names":   {opGetChildren2, answer(5, 0, slices.Concat(word(18), make([]byte, 68))...), "18 names"},
	"2^31-1 names":     {opGetChildren2, answer(5, 0, list(1<<31-1)...), "2147483647 names"},
	"-1 names":         {opGetChildren2, answer(5, 0, list(1<<32-1)...), "4294967295 names"},
	"-2^31 names":      {opGetChildren2, answer(5, 0, list(1<<31)...), "2147483648 names"},
	"no count":         {opGetChildren2, answer(5, 0), "of 16 bytes"},
	"half a count":     {opGetChildren2, answer(5, 0, 0, 0), "of 18 bytes"},
	"data":             {opGetData, answer(5, 0, list(0)...), ""},
	"no data":          {opGetData, answer(5, 0, list(1<<32-1)...), ""}, // null
	"endless data":     {opGetData, answer(5, 0, list(1<<31-1)...), "2147483647 bytes"},
	"data, no length":  {opGetData, answer(5, 0), "of 16 bytes"},
	"an ACL":           {opGetACL, answer(5, 0, slices.Concat(word(1), make([]byte, 12+68))...), ""},
	"endless ACL":      {opGetACL, answer(5, 0, list(1<<32-1)...), "4294967295 entries"},
	"ACL, too many":    {opGetACL, answer(5, 0, slices.Concat(word(6), make([]byte, 71))...), "6 entries"},
	"ACL, no count":    {opGetACL, answer(5, 0), "of 16 bytes"},
	"a takeover":       {opMulti, answer(5, 0, multi("\x00\x00\x00\x02", "\x00\x00\x00\x01\x00\x00\x00\x01/")...), ""},
	"failed takeover":  {opMulti, answer(5, 0, multi("\xff\xff\xff\xff\xff\xff\xff\x99", "\xff\xff\xff\xff\xff\xff\xff\x99")...), ""},
	"refused multi":    {opMulti, answer(5, -102), ""},
	"multi, no end":    {opMulti, answer(5, 0, slices.Concat(word(2), []byte{0}, word(0))...), errMulti.Error()},
	"multi, a number":  {opMulti, answer(5, 0, word(2)...), errMulti.Error()}, // go-zookeeper panics
	"multi, empty":     {opMulti, answer(5, 0), errMulti.Error()},
	"multi, long path": {opMulti, answer(5, 0, multi("\x00\x00\x00\x01\x7f\xff\xff\xff/")...), errMulti.Error()},
	"multi, no path":   {opMulti, answer(5, 0, slices.Concat(word(1), []byte{0}, word(0), []byte("\x00\x00"))...), "operation 1"},
	"multi, no error":  {opMulti, answer(5, 0, slices.Concat(word(1<<32-1), []byte{0}, word(0))...), errMulti.Error()},
	"multi, setData":   {opMulti, answer(5, 0, multi("\x00\x00\x00\x05"+string(make([]byte, statSize)))...), ""},
	"multi, no Stat":   {opMulti, answer(5, 0, slices.Concat(word(5), []byte{0}, word(0), make([]byte, 67))...), errMulti.Error()},
	"multi, check":     {opMulti, answer(5, 0, multi("\x00\x00\x00\x0d")...), ""},
	"multi, getACL":    {opMulti, answer(5, 0, multi("\x00\x00\x00\x06")...), "operation 6"},
	"multi, too long":  {opMulti, answer(5, 0, make([]byte, 5000)...), errMulti.Error()},
	"short":            {opSync, frame(make([]byte, 15)), "of 15 bytes"},
	"empty":            {opSync, frame(nil), "of 0 bytes"},
	"long":             {opSync, word(MaxFrame + 1), "of 16777217 bytes"},
	"a long list":      {opGetChildren2, slices.Concat(word(MaxFrame+1), answer(5, 0, list(2)...)[4:]), "of 16777217 bytes"},
	"an endless event": {opGetChildren2, slices.Concat(word(1<<31), answer(-1, 0, list(2)...)[4:]), "of 2147483648 bytes"},
	"huge":             {opSync, word(1<<32 - 1), "of"},
	"a bad second one": {opSync, slices.Concat(answer(5, 0), word(3)), "of 3 bytes"},
}

// Every frame is judged alike, however the stream is cut in two.
func TestFrames(t *testing.T) {
	for name, c := range frames {
		t.Run(name, func(t *testing.T) {
			for at := 1; at < len(c.sent); at++ {
				passed, err := verdict(sent(c.opcode, c.sent[:at], c.sent[at:]))
				if c.bad == "" && !bytes.Equal(c.sent, passed) {
					t.Fatalf("cut at %d: want all of it, have %q", at, passed)
				}
				if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
					t.Fatalf("cut at %d: want %q, have %v", at, c.bad, err)
				}
			}
		})
	}
}

// unimplemented is the code for an operation that the server does not know.
const unimplemented = -6

// A server's word that it does not know addWatch is taken for that request only.
func TestUnimplemented(t *testing.T) {
	for name, c := range map[string]struct {
		opcode uint32
		reply  []byte
		want   bool
	}{
		"an addWatch":      {OpAddWatch, answer(5, unimplemented), true},
		"a sync":           {opSync, answer(5, unimplemented), false},
		"another request":  {OpAddWatch, answer(6, unimplemented), false},
		"another error":    {OpAddWatch, answer(5, -102), false},
		"a watch that was": {OpAddWatch, answer(5, 0), false},
	} {
		g := sent(c.opcode, c.reply)
		if _, err := verdict(g); err != nil || (g.Requests.Code(OpAddWatch) == unimplemented) != c.want {
			t.Errorf("%s: want %t, have %d, %v", name, c.want, g.Requests.Code(OpAddWatch), err)
		}
	}
}

// Requests that were answered are not kept.
func TestRepliesForget(t *testing.T) {
	c := NewRequests()
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

// FuzzGuard sends anything after a handshake, cut into pieces of a given size: the verdict does not
// depend on the pieces.
func FuzzGuard(f *testing.F) {
	for _, c := range frames {
		f.Add(c.sent, 3, c.opcode)
	}
	f.Fuzz(func(t *testing.T, sentBytes []byte, piece int, opcode uint32) {
		whole, pieces := sent(opcode, sentBytes), sent(opcode, cut(sentBytes, piece%100)...)
		if len(sentBytes) == 0 {
			return
		}
		passed, want := verdict(whole)
		same, have := verdict(pieces)
		if (want == nil) != (have == nil) || want != nil && want.Error() != have.Error() || !bytes.Equal(passed, same) {
			t.Errorf("want %v, have %v", want, have)
		}
		if !bytes.HasPrefix(sentBytes, passed) {
			t.Errorf("handed on %q of %q", passed, sentBytes)
		}
		if whole.Requests.Code(OpAddWatch) != pieces.Requests.Code(OpAddWatch) {
			t.Error("what the server lacks depends on the pieces")
		}
	})
}
