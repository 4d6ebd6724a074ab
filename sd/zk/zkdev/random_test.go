package zkdev

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
)

var gambles = flag.Int("gambles", 12, "how many random scripts to play on both servers")

// TestSameOnRandomRequests plays random scripts on a real ZooKeeper and on this server, and wants
// the same transcripts, zxids included. A minute after a container has lost its last child both
// remove it, each at a time of its own: more scripts than fit in that are played on new servers.
func TestSameOnRandomRequests(t *testing.T) {
	const perServer = 50 // in half a minute, on a busy machine
	for first := 0; first < *gambles; first += perServer {
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			addr, dev := realServer(t), overTCP(t)
			real := func() (net.Conn, error) { return net.Dial("tcp", addr) }
			for seed := first; seed < min(first+perServer, *gambles); seed++ {
				want, have := gamble(t, real, seed), gamble(t, dev, seed)
				compare(t, have, want)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// A gambler makes random requests, the same ones for the same seed and the same answers.
type gambler struct {
	*rand.Rand
	t       *testing.T
	l       *transcript
	dial    dialer
	root    string // of its own tree
	clients []*wire
}

// gamble has three clients make random requests, one after the other.
func gamble(t *testing.T, dial dialer, seed int) []string {
	l := newTranscript()
	l.lines = append(l.lines, fmt.Sprint("= seed ", seed))
	root := fmt.Sprintf("/r%d", seed)
	g := &gambler{rand.New(rand.NewPCG(uint64(seed), 7)), t, l, dial, root, nil}
	for n := range 3 {
		g.clients = append(g.clients, g.join(string(rune('x'+n)), connectRequest{}))
	}
	g.clients[0].create(g.root, "", 0)
	for range 60 {
		g.step(g.IntN(len(g.clients)))
		for _, w := range g.clients {
			w.ping()
		}
	}
	for _, w := range g.clients {
		w.quit()
	}
	return comparable(l.lines)
}

// step has one client make a request. Now and then it ends its session before, or comes back.
func (g *gambler) step(i int) {
	switch w := g.clients[i]; g.IntN(100) {
	case 0, 1:
		w.quit()
		g.clients[i] = g.join(w.name, connectRequest{})
	case 2, 3:
		g.clients[i] = g.again(w)
	case 4, 5:
		w.auth("digest", "bob:secret")
	}
	op, body := g.request()
	fill := func(e *encoder) { e.b = append(e.b, body.b...) }
	if g.clients[i].do(fmt.Sprintf("op %d %q", op, body.b), op, fill) == closed {
		g.clients[i] = g.again(g.clients[i])
	}
}

func (g *gambler) join(name string, r connectRequest) *wire {
	w := g.l.open(g.t, g.dial, name)
	r.timeout = 10000
	w.connect(r)
	return w
}

func (g *gambler) again(w *wire) *wire {
	w.nc.Close()
	return g.join(w.name, connectRequest{session: w.session, password: w.password})
}

// comparable puts the events before a reply in order, since those of one change to several znodes
// come in no order, and drops the results that ZooKeeper adds to the error of a multiRead.
func comparable(lines []string) []string {
	isEvent := func(s string) bool { return strings.Contains(s, " event: ") }
	begin := 0
	for i, line := range lines {
		if strings.Contains(line, ": code -5 zxid ") {
			lines[i], _, _ = strings.Cut(line, " | ")
		}
		if !isEvent(line) {
			slices.Sort(lines[begin:i])
			begin = i + 1
		}
	}
	return lines
}

// pick returns one of list.
func pick[T any](g *gambler, list ...T) T { return list[g.IntN(len(list))] }

// request makes a request of any kind. Some are malformed.
func (g *gambler) request() (op Op, body *encoder) {
	kinds := []struct {
		share int
		ops   []Op
		fill  func(*encoder, Op)
	}{
		{8, creating, g.create},
		{8, []Op{OpExists, OpGetData, OpGetChildren, OpGetChildren2}, g.read},
		{4, []Op{OpDelete, OpSetData}, g.change},
		{5, []Op{OpMulti}, g.multi},
		{1, []Op{OpMultiRead}, g.multi},
		{1, []Op{OpSetACL}, g.change},
		{3, []Op{OpGetACL, OpSync, OpGetEphemerals, OpGetAllChildrenNumber}, g.query},
		{4, []Op{OpAddWatch, OpCheckWatches, OpRemoveWatches}, g.watch},
		{2, []Op{OpSetWatches, OpSetWatches2}, g.rearm},
		{1, []Op{OpWhoAmI, OpPing}, func(*encoder, Op) {}},
	}
	n := g.IntN(37)
	for _, kind := range kinds {
		if n -= kind.share; n < 0 {
			op, body = pick(g, kind.ops...), &encoder{}
			kind.fill(body, op)
			break
		}
	}
	if g.IntN(25) == 0 && len(body.b) > 0 {
		body.b = body.b[:g.IntN(len(body.b))]
	}
	return op, body
}

// path is one of a few, so that requests meet.
func (g *gambler) path() string {
	if g.IntN(40) == 0 {
		return pick(g, "/", "/zookeeper", "/zookeeper/config", g.root+"/", g.root+"//x",
			g.root+"/..", g.root+"/\x00")
	}
	path := g.root
	for range g.IntN(3) {
		path += "/" + pick(g, "a", "b", "c")
	}
	if g.IntN(12) == 0 {
		path += fmt.Sprintf("/s%010d", g.IntN(4))
	}
	return path
}

// maybe writes a string, or a null.
func (g *gambler) maybe(e *encoder, s string) {
	if g.IntN(60) == 0 {
		e.null()
		return
	}
	e.string(s)
}

func (g *gambler) data(e *encoder) {
	e.buffer(pick(g, nil, []byte{}, []byte("1"), []byte("22"), []byte("333")))
}

func (g *gambler) acl(e *encoder) {
	bob := digest("bob:secret")
	e.acls(pick(g, openACL(), openACL(), openACL(), openACL(), nil,
		[]acl{{permAll, identity{"auth", ""}}}, []acl{{permRead, anyone}},
		[]acl{{permAll, bob}, {permRead, anyone}}, []acl{{permAll, bob}},
		[]acl{{permCreate | permDelete, anyone}, {permAll, bob}},
		[]acl{{permAll, identity{"ip", "127.0.0.0/8"}}}, []acl{{permAdmin, anyone}},
		[]acl{{permAll, identity{"ip", "10.0.0.1"}}}, []acl{{permAll, identity{"none", "x"}}}))
}

var creating = []Op{OpCreate, OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL}

func (g *gambler) create(e *encoder, op Op) {
	flags := pick[int32](g, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, -1)
	path := g.path()
	if flags == flagSequential || flags == flagSequential|flagEphemeral || flags == flagTTLSequential {
		path += "/s"
	}
	e.string(path)
	g.data(e)
	g.acl(e)
	e.int32(flags)
	if op == OpCreateTTL {
		e.int64(pick[int64](g, 50000, 100000, 0, maxTTL+1))
	}
}

func (g *gambler) read(e *encoder, _ Op) {
	g.maybe(e, g.path())
	e.bool(g.IntN(2) == 0)
}

// change writes a delete, a setData, a setACL or a check.
func (g *gambler) change(e *encoder, op Op) {
	e.string(g.path())
	switch op {
	case OpSetData:
		g.data(e)
	case OpSetACL:
		g.acl(e)
	}
	e.int32(pick[int32](g, -1, -1, -1, 0, 1, 2, 5))
}

// multi writes a multi or a multiRead, in which some operations belong into the other.
func (g *gambler) multi(e *encoder, op Op) {
	for range g.IntN(4) {
		if reads := op == OpMultiRead; reads != (g.IntN(80) == 0) {
			op := pick(g, OpGetData, OpGetChildren)
			e.multiHeader(op, false, -1)
			e.string(g.path())
			e.bool(g.IntN(2) == 0)
			continue
		}
		op := pick(g, append(creating, OpDelete, OpSetData, OpSetData, OpCheck)...)
		e.multiHeader(op, false, -1)
		if slices.Contains(creating, op) {
			g.create(e, op)
		} else {
			g.change(e, op)
		}
	}
	e.multiHeader(opError, true, -1)
}

func (g *gambler) query(e *encoder, op Op) {
	if op == OpGetEphemerals {
		g.maybe(e, pick(g, "", "/", " ", " / ", "r", "/r", g.root, g.path()))
		return
	}
	g.maybe(e, g.path())
}

// watch writes an addWatch, a checkWatches or a removeWatches.
func (g *gambler) watch(e *encoder, op Op) {
	e.string(g.path())
	if op == OpAddWatch {
		e.int32(int32(pick(g, persistent, recursive)))
		return
	}
	e.int32(pick[int32](g, 1, 2, 3))
}

// rearm writes a setWatches, from a change before or after the last one.
func (g *gambler) rearm(e *encoder, op Op) {
	var zxid int64
	for _, line := range slices.Backward(g.l.lines) {
		if _, text, found := strings.Cut(line, " ping: code 0 zxid "); found {
			fmt.Sscan(text, &zxid)
			break
		}
	}
	e.int64(pick(g, 0, zxid, zxid-2, zxid-5, 1<<40))
	lists := 3
	if op == OpSetWatches2 {
		lists = 5
	}
	for range lists {
		list := []string{g.path(), g.path()}
		e.strings(list[:g.IntN(3)])
	}
}
