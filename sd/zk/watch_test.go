package zk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zkdev"
)

// packet encodes a request as go-zookeeper does: a path, and what follows it.
func packet(opcode uint32, path string, rest ...byte) []byte {
	return request(word(77), opcode, []byte(path), rest)
}

// A marked request becomes the same request with a watch; every other is left
// as it is.
func TestUnmark(t *testing.T) {
	mode := func(n uint32) []byte { return word(n) }
	for name, c := range map[string]struct{ sent, want []byte }{
		"addWatch, node":  {packet(opSync, watchNode+"/a"), packet(opAddWatch, "/a", mode(0)...)},
		"addWatch, below": {packet(opSync, watchNodes+"/a/b"), packet(opAddWatch, "/a/b", mode(1)...)},
		"exists":          {packet(opExists, watchOnce+"/a", 0), packet(opExists, "/a", 1)},
		"children":        {packet(opGetChildren2, watchOnce+"/a", 0), packet(opGetChildren2, "/a", 1)},
		"sync":            {packet(opSync, "/a"), nil},
		"plain exists":    {packet(opExists, "/a", 0), nil},
		"plain children":  {packet(opGetChildren2, "/a", 0), nil},
		"delete":          {packet(opDelete, watchOnce+"/a", 0, 0, 0, 0), nil},
		"create":          {packet(opCreate, watchNode+"/a"), nil},
		"data":            {packet(opGetData, watchOnce+"/a", 0), nil},
		"mark inside":     {packet(opExists, "/a"+watchOnce, 0), nil},
		"ping":            {frame(slices.Concat(word(1<<32-2), word(11))), nil},
		"nothing":         {nil, nil},
		"half a header":   {word(8), nil},
		"half a path":     {packet(opExists, watchOnce)[:len(watchOnce)], nil},
		"connect":         {connectRequest(opSync<<32 | 0x2f776174), nil}, // a zxid that looks like an opcode
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			if want == nil {
				want = c.sent
			}
			if have := unmark(slices.Clone(c.sent)); !bytes.Equal(want, have) {
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

// A directory may have any name that a target can say, also one that looks like
// a mark.
func TestDirectoryNamedLikeAMark(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		for _, mark := range []string{"/watch-once", "/watch-node0", "/watch-nodes1", watchOnce, watchNode, watchNodes} {
			t.Run(mode+strings.ReplaceAll(mark, "/", " "), func(t *testing.T) {
				inLab(t, home+"&watch="+mode, func(l *lab) {
					parent := mark + defaultPath
					l.target.Path = parent
					if _, err := parseConfig(l.target); err != nil {
						if strings.Contains(mark, "%") {
							return // sd.ParseTarget says no as well
						}
						t.Fatal(err)
					}
					l.Create(mark, nil, 0)
					l.Create(parent, nil, 0)
					b, _ := l.connected()
					c, r := l.watch(b)
					l.shows(r, time.Second)
					announced := l.announce(b, alice)
					l.Create(parent+"/"+bob, nil, 0)
					l.shows(r, time.Second, alice, bob)
					l.pass(time.Minute) // for an audit of each
					if err := errors.Join(c.ended(), announced.ended()); err != nil || b.Stats().Mended != 0 {
						t.Errorf("want nothing lost and nothing mended, have %v, %+v", err, b.Stats())
					}
				})
			})
		}
	}
}

// The reply to an addWatch is the reply to the library's sync: it comes after
// what was sent before it, and an error is the caller's.
func TestAddWatch(t *testing.T) {
	inLab(t, home, func(l *lab) {
		_, on := l.connected()
		for n, mark := range []string{watchNode, watchNodes} {
			if err := addWatch(on.Conn, mark, fmt.Sprintf("%s/%d", defaultPath, n)); err != nil {
				t.Errorf("%s: %v", mark, err)
			}
		}
		if have := l.Sessions()[0].Watches; have != 4 {
			t.Errorf("watches: want 2, which count twice, have %d", have)
		}
		l.FailNext(zkdev.OpAddWatch, zkdev.NoAuth)
		if err := addWatch(on.Conn, watchNodes, defaultPath); err == nil {
			t.Error("error: want the server's, have none")
		}
		if syncs := l.Requests(zkdev.OpSync); syncs != 0 {
			t.Errorf("syncs: want none, have %d", syncs)
		}
	})
}

// FuzzUnmark sends anything: a packet is well formed afterwards if it was
// before, and carries no mark.
func FuzzUnmark(f *testing.F) {
	f.Add(packet(opSync, watchNode+"/a"))
	f.Add(packet(opExists, watchOnce+"/a", 0))
	f.Add(packet(opExists, watchOnce))
	f.Add(packet(opGetChildren2, "/a", 0))
	f.Add(connectRequest(1 << 34))
	f.Fuzz(func(t *testing.T, sent []byte) {
		have := unmark(slices.Clone(sent))
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
	p := packet(opExists, "/go_servers/"+alice, 0)
	b.ReportAllocs()
	for b.Loop() {
		unmark(p)
	}
}
