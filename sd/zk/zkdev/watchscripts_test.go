package zkdev

import "testing"

func oneShots(t *testing.T, l *transcript, dial dialer) {
	c, w := l.join(t, dial, "c"), l.join(t, dial, "w")
	c.create("/w", "", 0)
	w.readOp(OpExists, "/w/n", true)
	w.readOp(OpGetChildren, "/w", true)
	c.create("/w/n", "", 0)
	w.ping()
	c.setData("/w/n", "1", -1)
	w.ping()
	w.readOp(OpGetData, "/w/n", true)
	w.readOp(OpExists, "/w/n", true)
	w.readOp(OpGetChildren2, "/w/n", true)
	c.setData("/w/n", "2", -1)
	c.setData("/w/n", "3", -1)
	w.ping()
	w.readOp(OpGetData, "/w/n", true)
	w.readOp(OpGetChildren, "/w", true)
	c.create("/w/n/below", "", 0)
	c.delete("/w/n/below", -1)
	c.delete("/w/n", -1)
	w.ping()
	c.create("/w/n", "", 0)
	w.ping()
	w.readOp(OpGetChildren, "/w/n", true)
	w.readOp(OpGetData, "/w/n", true)
	c.delete("/w/n", -1)
	w.readOp(OpExists, "/w/n", false)
	w.readOp(OpGetChildren, "/w", true)
	w.readOp(OpGetChildren, "/w/n", true)
	c.setACL("/w", -1, openACL()...)
	w.create("/w/own", "", 0)
	w.ping()
	c.quit()
	w.quit()
}

func persistents(t *testing.T, l *transcript, dial dialer) {
	c, p, r := l.join(t, dial, "c"), l.join(t, dial, "p"), l.join(t, dial, "r")
	p.addWatch("/pw", 0)
	r.addWatch("/pw", 1)
	p.addWatch("/pw", 2)
	p.addWatch("pw", 0)
	p.addWatch("/pw/", 0)
	step := func() { p.ping(); r.ping() }
	c.create("/pw", "", 0)
	step()
	for range 2 {
		c.create("/pw/a", "", 0)
		step()
		c.create("/pw/a/b", "", 0)
		step()
		c.setData("/pw/a/b", "", -1)
		c.setData("/pw", "", -1)
		step()
		c.delete("/pw/a/b", -1)
		step()
		c.delete("/pw/a", -1)
		step()
	}
	c.delete("/pw", -1)
	step()
	c.create("/pw", "", 0)
	step()
	c.create("/pwx", "", 0)
	step()
	r.readOp(OpGetChildren, "/pw", false)
	c.create("/pw/last", "", 1)
	r.readOp(OpGetChildren, "/pw", false)
	c.quit()
	step()
	p.quit()
	r.quit()
}

// replacedWatches shows what a later watch on the same path does to an earlier one.
func replacedWatches(t *testing.T, l *transcript, dial dialer) {
	c, w := l.join(t, dial, "c"), l.join(t, dial, "w")
	c.create("/rw", "", 0)
	change := func() {
		c.create("/rw/a", "", 0)
		w.ping()
		c.delete("/rw/a", -1)
		w.ping()
		c.setData("/rw", "", -1)
		w.ping()
		c.setData("/rw", "", -1)
		w.ping()
	}
	w.addWatch("/rw", 0)
	w.readOp(OpGetChildren, "/rw", true)
	change()
	w.addWatch("/rw", 0)
	w.readOp(OpGetData, "/rw", true)
	change()
	w.addWatch("/rw", 1)
	w.readOp(OpGetChildren, "/rw", true)
	w.readOp(OpExists, "/rw", true)
	change()
	w.readOp(OpExists, "/rw", true)
	w.addWatch("/rw", 0)
	change()
	w.addWatch("/rw", 1)
	change()
	w.addWatch("/rw", 0)
	change()
	w.addWatch("/", 1)
	change()
	c.quit()
	w.quit()
}

// pairsOfWatches arms every two kinds of watch on one path, in either order, by the operations and
// by setWatches after a reconnection, and changes what they are about. A session has one watch a
// path and table, so the second replaces the first (ZOOKEEPER-4466).
func pairsOfWatches(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.log = newTranscript() // what it does is known; what the others hear matters
	kinds := []struct {
		name  string
		arm   func(*wire)
		rearm int // the list of setWatches2 that it belongs to
	}{
		{"persistent", func(w *wire) { w.addWatch("/pairs/a", 0) }, 3},
		{"recursive", func(w *wire) { w.addWatch("/pairs/a", 1) }, 4},
		{"exists", func(w *wire) { w.readOp(OpExists, "/pairs/a", true) }, 1},
		{"getData", func(w *wire) { w.readOp(OpGetData, "/pairs/a", true) }, 0},
		{"getChildren", func(w *wire) { w.readOp(OpGetChildren, "/pairs/a", true) }, 2},
	}
	c.create("/pairs", "", 0)
	c.create("/pairs/a", "", 0)
	steps := []func(){
		func() { c.create("/pairs/a/b", "", 0) },
		func() { c.setData("/pairs/a/b", "", -1) },
		func() { c.setData("/pairs/a", "", -1) },
		func() { c.delete("/pairs/a/b", -1) },
		func() { c.delete("/pairs/a", -1) },
		func() { c.create("/pairs/a", "", 0) },
	}
	hear := func(w *wire) {
		for _, step := range steps {
			step()
			w.ping()
		}
		w.quit()
	}
	for _, first := range kinds {
		for _, second := range kinds {
			w := l.join(t, dial, first.name+" then "+second.name)
			first.arm(w)
			second.arm(w)
			hear(w)
			if first.rearm == second.rearm {
				continue
			}
			again := l.join(t, dial, first.name+" and "+second.name+" again")
			lists := make([][]string, 5)
			lists[first.rearm], lists[second.rearm] = []string{"/pairs/a"}, []string{"/pairs/a"}
			again.setWatches(OpSetWatches2, 1<<40, lists...)
			hear(again)
		}
	}
	c.quit()
}

func setWatchesScript(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/sw", "", 0)          // mzxid and pzxid
	c.create("/sw/a", "", 0)        // pzxid of /sw
	c.setData("/sw", "", -1)        // mzxid of /sw
	c.create("/sw/a/b", "", 0)      // not seen at /sw
	c.readOp(OpExists, "/sw", true) // tells the zxids
	stat := func(path string) Stat {
		w := l.open(t, dial, "s")
		w.log = newTranscript()
		w.connect(connectRequest{timeout: 4000})
		w.send(1, OpExists, func(e *encoder) { e.string(path); e.bool(false) })
		d := w.read()
		d.take(16)
		s := Stat{Czxid: d.int64(), Mzxid: d.int64()}
		d.take(16 + 12 + 8 + 8)
		s.Pzxid = d.int64()
		w.quit()
		return s
	}
	sw := stat("/sw")
	for _, from := range []int64{sw.Czxid, sw.Pzxid, sw.Mzxid - 1, sw.Mzxid} {
		for _, op := range []Op{OpSetWatches, OpSetWatches2} {
			w := l.join(t, dial, "w")
			lists := [][]string{{"/sw", "/none"}, {"/sw", "/sw/new"}, {"/sw", "/none"}}
			if op == OpSetWatches2 {
				lists = append(lists, []string{"/sw/new"}, []string{"/sw/a"})
			}
			w.setWatches(op, from, lists...)
			w.ping()
			c.create("/sw/new", "", 0)
			c.setData("/sw", "", -1)
			c.create("/sw/a/c", "", 0)
			w.ping()
			c.delete("/sw/a/c", -1)
			c.delete("/sw/new", -1)
			w.ping()
			w.quit()
		}
	}
	c.quit()
}

func removeWatchesScript(t *testing.T, l *transcript, dial dialer) {
	c, w := l.join(t, dial, "c"), l.join(t, dial, "w")
	ask := func(op Op, path string, sort int32) {
		w.do("watches", op, func(e *encoder) { e.versioned(path, sort) })
	}
	c.create("/rem", "", 0)
	ask(OpCheckWatches, "/rem", 3)
	ask(OpRemoveWatches, "/rem", 3)
	w.readOp(OpGetData, "/rem", true)
	for _, sort := range []int32{0, 1, 2, 3, 4} {
		ask(OpCheckWatches, "/rem", sort)
		c.do("another's", OpCheckWatches, func(e *encoder) { e.versioned("/rem", sort) })
	}
	c.do("another's", OpRemoveWatches, func(e *encoder) { e.versioned("/rem", 3) })
	ask(OpRemoveWatches, "/rem", 1)
	ask(OpRemoveWatches, "/rem", 2)
	ask(OpRemoveWatches, "/rem", 2)
	w.addWatch("/rem", 0)
	ask(OpRemoveWatches, "/rem", 1)
	c.setData("/rem", "", -1)
	c.create("/rem/a", "", 0)
	w.ping()
	ask(OpRemoveWatches, "/rem", 3)
	c.setData("/rem", "", -1)
	w.ping()
	w.addWatch("/rem", 1)
	ask(OpRemoveWatches, "/rem", 3)
	c.setData("/rem/a", "", -1)
	w.ping()
	c.quit()
	w.quit()
}

// unreadable watches znodes of somebody who lets nobody read: no event comes, and a one-shot watch
// is spent.
func unreadable(t *testing.T, l *transcript, dial dialer) {
	owner := l.join(t, dial, "owner")
	owner.auth("digest", "owner:secret")
	private := []acl{{permAll, identity{"auth", ""}}}
	owner.create("/private", "", 0)
	for _, arm := range []func(w *wire){
		func(w *wire) {
			w.readOp(OpExists, "/private/n", true)
			w.readOp(OpGetChildren, "/private",
				true)
		},
		func(w *wire) { w.addWatch("/private", 0); w.addWatch("/private/n", 0) },
		func(w *wire) { w.addWatch("/private", 1) },
	} {
		w := l.join(t, dial, "w")
		for _, change := range []func(){
			func() { owner.createOp(OpCreate, "/private/n", "", 0, private) },
			func() { owner.setData("/private/n", "", -1) },
			func() {
				owner.setACL("/private/n", -1, openACL()...)
				owner.setData("/private/n", "",
					-1)
			},
			func() { owner.setACL("/private/n", -1, private...); owner.delete("/private/n", -1) },
		} {
			arm(w)
			change()
			w.ping()
		}
		w.quit()
	}
	w := l.join(t, dial, "w")
	w.addWatch("/private", 1)
	w.readOp(OpExists, "/private", true)
	owner.setACL("/private", -1, private...)
	owner.create("/private/open", "", 0)
	owner.setData("/private", "", -1)
	owner.delete("/private/open", -1)
	w.ping()
	w.setWatches(OpSetWatches, 0, []string{"/private"}, nil, []string{"/private"})
	w.ping()
	w.auth("digest", "owner:secret")
	owner.setData("/private", "", -1)
	w.ping()
	owner.quit()
	w.quit()
}
