package zkdev

import "testing"

func sessionsScript(t *testing.T, l *transcript, dial dialer) {
	for _, timeout := range []int32{-1, 0, 1, 999, 1000, 2345, 10000, 10001, 1 << 30} {
		for _, readOnly := range []bool{true, false} {
			c := l.open(t, dial, "c")
			c.connect(connectRequest{timeout: timeout, hasReadOnly: readOnly})
			c.quit()
		}
	}
	c := l.join(t, dial, "c")
	c.create("/sess", "", 1)
	again := func(what string, session int64, password []byte, zxid int64) *wire {
		w := l.open(t, dial, what)
		w.connect(connectRequest{timeout: 5000, session: session, password: password,
			lastZxid: zxid, hasReadOnly: true})
		return w
	}
	d := again("d", c.session, c.password, 0)
	c.await("cut by d", OpPing, xidPing)
	d.readOp(OpExists, "/sess", false)
	e := again("e", d.session, d.password, 1<<40)
	e.await("refused", OpPing, xidPing)
	d.ping()
	f := again("f", d.session, make([]byte, 16), 0)
	f.await("refused", OpPing, xidPing)
	d.await("cut by f", OpPing, xidPing)
	g := again("g", d.session, d.password, 0)
	g.readOp(OpExists, "/sess", false)
	g.quit()
	h := again("h", g.session, g.password, 0)
	h.await("refused", OpPing, xidPing)
	i := again("i", 12345, make([]byte, 16), 0)
	i.await("refused", OpPing, xidPing)
	j := again("j", 0, nil, 0)
	j.readOp(OpExists, "/sess", false)
	j.quit()
}

func unknowns(t *testing.T, l *transcript, dial dialer) {
	for _, op := range []Op{0, -1, 10, 23, 99, 108, 200, 1 << 30} {
		c := l.join(t, dial, "c")
		c.do("unknown", op, func(e *encoder) { e.string("/x") })
		c.await("after an unknown", OpPing, xidPing) // a ping sent now would race with the end
		d := l.open(t, dial, "d")
		d.connect(connectRequest{timeout: 4000, session: c.session, password: c.password})
		d.quit()
	}
}

func malformed(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	for _, op := range []Op{OpCreate, OpCreate2, OpDelete, OpExists, OpGetData, OpSetData, OpGetACL,
		OpSetACL, OpGetChildren, OpSync,
		OpGetChildren2, OpCheck, OpMulti, OpSetWatches, OpSetWatches2, OpAddWatch, OpCheckWatches} {
		c.do("empty", op, nil)
		c.do("short", op, func(e *encoder) { e.string("/x") })
		c.do("lying", op, func(e *encoder) { e.int32(1 << 20) })
		c.do("negative", op, func(e *encoder) { e.int32(-2) })
	}
	for _, count := range []int32{-2, -1 << 31} { // a vector of fewer than none is empty
		c.do("negative count", OpCreate, func(e *encoder) {
			e.string("/negative")
			e.null()
			e.int32(count)
			e.int32(7)
		})
		c.do("negative counts", OpSetWatches, func(e *encoder) {
			e.int64(0)
			e.int32(count)
			e.int32(count)
			e.int32(count)
		})
	}
	c.ping()
	c.quit()
	for _, bytes := range []string{"\x00\x00\x00\x00", "\x00\x00\x00\x04abcd", "\xff\xff\xff\xff",
		"\x00\x10\x00\x00", "\x7f\xff\xff\xff"} {
		for _, connected := range []bool{false, true} {
			w := l.open(t, dial, "m")
			if connected {
				w.connect(connectRequest{timeout: 4000})
			}
			w.nc.Write([]byte(bytes))
			w.await("junk", OpPing, xidPing)
			if connected {
				l.end(t, dial, w)
			}
		}
	}
}
