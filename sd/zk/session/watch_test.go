package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// packet encodes a request as go-zookeeper does: a path, and what follows it.
func packet(opcode uint32, path string, rest ...byte) []byte {
	return request(word(77), opcode, []byte(path), rest)
}

// A marked request becomes the same request with a watch; every other is left as it is.
func TestUnmark(t *testing.T) {
	mode := func(n uint32) []byte { return word(n) }
	for name, c := range map[string]struct{ sent, want []byte }{
		"addWatch, node":  {packet(opSync, markWatch[Node]+"/a"), packet(opAddWatch, "/a", mode(0)...)},
		"addWatch, below": {packet(opSync, markWatch[Tree]+"/a/b"), packet(opAddWatch, "/a/b", mode(1)...)},
		"exists":          {packet(opExists, markOnce+"/a", 0), packet(opExists, "/a", 1)},
		"children":        {packet(opGetChildren2, markOnce+"/a", 0), packet(opGetChildren2, "/a", 1)},
		"the root":        {packet(opSync, markWatch[Tree]), packet(opAddWatch, "/", mode(1)...)},
		"the root, once":  {packet(opExists, markOnce, 0), packet(opExists, "/", 1)},
		"sync":            {packet(opSync, "/a"), nil},
		"plain exists":    {packet(opExists, "/a", 0), nil},
		"plain children":  {packet(opGetChildren2, "/a", 0), nil},
		"delete":          {packet(opDelete, markOnce+"/a", 0, 0, 0, 0), nil},
		"create":          {packet(opCreate, markWatch[Node]+"/a"), nil},
		"data":            {packet(opGetData, markOnce+"/a", 0), packet(opGetData, "/a", 1)},
		"plain data":      {packet(opGetData, "/a", 0), nil},
		"mark inside":     {packet(opExists, "/a"+markOnce, 0), nil},
		"ping":            {frame(slices.Concat(word(1<<32-2), word(11))), nil},
		"nothing":         {nil, nil},
		"half a header":   {word(8), nil},
		"half a path":     {packet(opExists, markOnce)[:len(markOnce)], nil},
		"connect":         {connectRequest(opSync<<32 | 0x2f776174), nil}, // a zxid that looks like an opcode
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			if want == nil {
				want = c.sent
			}
			if have := newReplies().unmark(slices.Clone(c.sent)); !bytes.Equal(want, have) {
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

// The reply to an addWatch is the reply to the library's sync: it comes after what was sent before
// it, and an error is the caller's.
func TestAddWatch(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, on := l.connected()
		for _, mode := range []Mode{Node, Tree} {
			if err := on.AddWatch(fmt.Sprintf("%s/%d", directory, mode), mode); err != nil {
				t.Errorf("%d: %v", mode, err)
			}
		}
		if have := l.Sessions()[0].Watches; have != 4 {
			t.Errorf("watches: want 2, which count twice, have %d", have)
		}
		_, _, exists := on.ExistsOnce("/")
		_, _, children := on.ChildrenOnce("/")
		_, _, data := on.GetOnce("/")
		if err := errors.Join(on.AddWatch("/", Tree), exists, children, data); err != nil {
			t.Errorf("the root: %v", err)
		}
		if err := on.AddWatch("//", Tree); !errors.Is(err, gozk.ErrInvalidPath) || !on.CanAddWatch() {
			t.Errorf("a wrong path: want %v, and no conclusion, have %v, %t", gozk.ErrInvalidPath, err, on.CanAddWatch())
		}
		l.FailAll(zkdev.OpAddWatch, zkdev.NoAuth)
		if err := on.AddWatch(directory, Tree); err == nil {
			t.Error("error: want the server's, have none")
		}
		if syncs := l.Requests(zkdev.OpSync); syncs != 0 {
			t.Errorf("syncs: want none, have %d", syncs)
		}
	})
}

// FuzzUnmark sends anything: a packet is well formed afterwards if it was before, and carries no
// mark.
func FuzzUnmark(f *testing.F) {
	f.Add(packet(opSync, markWatch[Node]+"/a"))
	f.Add(packet(opExists, markOnce+"/a", 0))
	f.Add(packet(opExists, markOnce))
	f.Add(packet(opGetChildren2, "/a", 0))
	f.Add(connectRequest(1 << 34))
	f.Fuzz(func(t *testing.T, sent []byte) {
		have := newReplies().unmark(slices.Clone(sent))
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
		newReplies().unmark(p)
	}
}
