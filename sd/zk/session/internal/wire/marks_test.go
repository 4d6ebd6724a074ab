package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// packet encodes a request as go-zookeeper does: a path, and what follows it.
func packet(opcode uint32, path string, rest ...byte) []byte {
	return request(word(77), opcode, []byte(path), rest)
}

// A marked request becomes the same request with a watch; every other is left as it is.
func TestUnmark(t *testing.T) {
	mode := func(n uint32) []byte { return word(n) }
	for name, c := range map[string]struct{ sent, want []byte }{
		"addWatch, node":  {packet(opSync, Node.Path("/a")), packet(OpAddWatch, "/a", mode(0)...)},
		"addWatch, below": {packet(opSync, Tree.Path("/a/b")), packet(OpAddWatch, "/a/b", mode(1)...)},
		"exists":          {packet(opExists, Once.Path("/a"), 0), packet(opExists, "/a", 1)},
		"children":        {packet(opGetChildren2, Once.Path("/a"), 0), packet(opGetChildren2, "/a", 1)},
		"the root":        {packet(opSync, Tree.Path("/")), packet(OpAddWatch, "/", mode(1)...)},
		"the root, once":  {packet(opExists, Once.Path("/"), 0), packet(opExists, "/", 1)},
		"sync":            {packet(opSync, "/a"), nil},
		"plain exists":    {packet(opExists, "/a", 0), nil},
		"plain children":  {packet(opGetChildren2, "/a", 0), nil},
		"delete":          {packet(opDelete, Once.Path("/a"), 0, 0, 0, 0), nil},
		"create":          {packet(opCreate, Node.Path("/a")), nil},
		"data":            {packet(opGetData, Once.Path("/a"), 0), packet(opGetData, "/a", 1)},
		"plain data":      {packet(opGetData, "/a", 0), nil},
		"mark inside":     {packet(opExists, "/a"+string(Once), 0), nil},
		"ping":            {frame(slices.Concat(word(1<<32-2), word(11))), nil},
		"nothing":         {nil, nil},
		"half a header":   {word(8), nil},
		"half a path":     {packet(opExists, Once.Path("/"))[:len(Once)], nil},
		"connect":         {connectRequest(opSync<<32 | 0x2f776174), nil}, // a zxid that looks like an opcode
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			if want == nil {
				want = c.sent
			}
			if have := NewRequests().unmark(slices.Clone(c.sent)); !bytes.Equal(want, have) {
				t.Errorf("want %q, have %q", want, have)
			}
		})
	}
}

// connectRequest encodes the first packet of a client that has seen zxid.
func connectRequest(zxid uint64) []byte {
	b := binary.BigEndian.AppendUint64(word(0), zxid)
	b = append(b, word(4000)...)
	b = binary.BigEndian.AppendUint64(b, 9)
	return frame(append(append(b, word(16)...), make([]byte, 16)...))
}

// FuzzUnmark sends anything: a packet is well formed afterwards if it was before, and carries no
// mark.
func FuzzUnmark(f *testing.F) {
	f.Add(packet(opSync, Node.Path("/a")))
	f.Add(packet(opExists, Once.Path("/a"), 0))
	f.Add(packet(opExists, Once.Path("/")))
	f.Add(packet(opGetChildren2, "/a", 0))
	f.Add(connectRequest(1 << 34))
	f.Fuzz(func(t *testing.T, sent []byte) {
		have := NewRequests().unmark(slices.Clone(sent))
		if bytes.Equal(sent, have) {
			return
		}
		if len(have) < 16 || int(binary.BigEndian.Uint32(have)) != len(have)-4 || !bytes.Equal(have[4:8], sent[4:8]) {
			t.Errorf("from %q: malformed %q", sent, have)
		}
		if path := have[16:]; len(path) < int(binary.BigEndian.Uint32(have[12:])) {
			t.Errorf("from %q: path too long in %q", sent, have)
		}
	})
}

func BenchmarkUnmark(b *testing.B) {
	p := packet(opExists, "/go_servers/"+"192.0.2.1:8897", 0)
	b.ReportAllocs()
	for b.Loop() {
		NewRequests().unmark(p)
	}
}
