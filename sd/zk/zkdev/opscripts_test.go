package zkdev

import (
	"fmt"
	"testing"
)

func (w *wire) path(op Op, path string) Code {
	return w.do(fmt.Sprintf("op %d %q", op, path), op, func(e *encoder) { e.string(path) })
}

func (w *wire) createTTL(path string, flags int32, ttl int64) Code {
	return w.do(fmt.Sprintf("createTTL %q flags %d ttl %d", path, flags, ttl), OpCreateTTL,
		func(e *encoder) {
			e.create(path, "", flags, openACL())
			e.int64(ttl)
		})
}

func queries(t *testing.T, l *transcript, dial dialer) {
	c, x := l.join(t, dial, "c"), l.join(t, dial, "x")
	c.create("/q", "", 0)
	for _, path := range []string{"/q/e", "/q/f", "/qe"} {
		c.create(path, "", 1)
	}
	x.create("/q/other", "", 1)
	c.auth("digest", "bob:secret")
	c.createOp(OpCreate, "/q/shut", "", 0, []acl{{31, digest("bob:secret")}})
	for _, path := range []string{"/", "", "/q", "/q/", "/q/e", "/nowhere", "q", "/q/\x00", "//",
		" ", " / ", " /q"} {
		c.path(OpGetEphemerals, path)
		c.path(OpGetAllChildrenNumber, path)
		x.path(OpGetEphemerals, path)
	}
	c.createOp(OpCreate, "/q/shut/e", "", 1, openACL())
	x.path(OpGetAllChildrenNumber, "/q/shut")
	c.path(OpGetAllChildrenNumber, "/q/shut")
	x.path(OpGetAllChildrenNumber, "/zookeeper")
	x.path(OpGetEphemerals, "/q/shut")
	c.path(OpGetEphemerals, "/q/shut")
	for _, op := range []Op{OpGetEphemerals, OpGetAllChildrenNumber} {
		c.do("empty", op, nil)
		c.do("null", op, (*encoder).null)
		c.do("lying", op, func(e *encoder) { e.int32(1 << 20) })
	}
	x.do("whoAmI", OpWhoAmI, nil)
	c.do("whoAmI", OpWhoAmI, nil)
	c.auth("digest", "eve:x")
	c.auth("ip", "")
	c.do("whoAmI", OpWhoAmI, nil)
	c.do("whoAmI and more", OpWhoAmI, func(e *encoder) { e.string("/") })
	c.quit()
	x.quit()
}

func gets(path string) part {
	return part{OpGetData, func(e *encoder) { e.string(path); e.bool(false) }}
}
func lists(path string) part {
	return part{OpGetChildren, func(e *encoder) { e.string(path); e.bool(false) }}
}
func readOps(op Op, path string, watch bool) part {
	return part{op, func(e *encoder) { e.string(path); e.bool(watch) }}
}

func (w *wire) multiRead(what string, parts ...part) Code {
	return w.do("multiRead "+what, OpMultiRead, func(e *encoder) {
		for _, p := range parts {
			e.multiHeader(p.op, false, -1)
			p.fill(e)
		}
		e.multiHeader(opError, true, -1)
	})
}

func multiReads(t *testing.T, l *transcript, dial dialer) {
	c, x := l.join(t, dial, "c"), l.join(t, dial, "x")
	c.create("/mr", "data", 0)
	c.create("/mr/a", "", 1)
	c.createOp(OpCreate, "/mr/n", "", 0, openACL())
	c.do("create null data", OpCreate, func(e *encoder) {
		e.string("/mr/null")
		e.null()
		e.acls(openACL())
		e.int32(0)
	})
	c.auth("digest", "bob:secret")
	c.createOp(OpCreate, "/mr/shut", "secret", 0, []acl{{31, digest("bob:secret")}})
	x.multiRead("all", gets("/mr"), lists("/mr"), gets("/mr/a"), gets("/mr/null"), lists("/mr/a"))
	x.multiRead("some fail", gets("/mr"), gets("/nowhere"), lists("/nowhere"), gets("/mr/shut"),
		lists("/mr/shut"), gets("/mr/a"))
	c.multiRead("may", gets("/mr/shut"), lists("/mr/shut"))
	x.multiRead("paths", gets(""), lists(""), gets("mr"), gets("/mr/"), lists("//"), gets("/\x00"))
	x.multiRead("nothing")
	x.multiRead("watches", readOps(OpGetData, "/mr", true), readOps(OpGetChildren, "/mr", true))
	c.setData("/mr", "new", -1)
	c.create("/mr/b", "", 0)
	x.ping()
	for _, op := range []Op{OpExists, OpGetChildren2, OpGetACL, OpGetAllChildrenNumber, OpPing,
		99} {
		x.multiRead(fmt.Sprintf("op %d", op), gets("/mr"), readOps(op, "/mr", false))
	}
	x.multiRead("a write", gets("/mr"), creates("/mr/w", 0))
	x.multiRead("a write first", creates("/mr/w", 0), gets("/mr"))
	x.multiRead("a check last", gets("/mr"), checks("/mr", 0))
	x.multiOf("a read first", gets("/mr"), checks("/mr", -1))
	x.multiOf("a read last", checks("/mr", -1), gets("/mr"))
	x.readOp(OpExists, "/mr/w", false)
	x.do("multiRead empty", OpMultiRead, nil)
	x.do("multiRead cut", OpMultiRead, func(e *encoder) { e.multiHeader(OpGetData, false, -1) })
	x.do("multiRead without end", OpMultiRead, func(e *encoder) {
		e.multiHeader(OpGetData, false, -1)
		e.string("/mr")
		e.bool(false)
	})
	x.ping()
	c.quit()
	x.quit()
}

// maybe writes a string, or a null for "null".
func (e *encoder) maybe(v string) {
	if v == "null" {
		e.null()
		return
	}
	e.string(v)
}

// The scripts below have a null wherever a request has a string, a buffer or a vector.

func nullPaths(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/ns", "", 0)
	for _, op := range []Op{OpExists, OpGetData, OpGetChildren, OpGetChildren2} {
		for _, watch := range []bool{false, true} {
			c.do(fmt.Sprintf("op %d null watch %v", op, watch), op, func(e *encoder) {
				e.null()
				e.bool(watch)
			})
		}
	}
	for _, op := range []Op{OpDelete, OpCheck, OpCheckWatches, OpRemoveWatches} {
		c.do(fmt.Sprintf("op %d null", op), op, func(e *encoder) { e.null(); e.int32(1) })
	}
	for _, op := range []Op{OpGetACL, OpSync} {
		c.do(fmt.Sprintf("op %d null", op), op, (*encoder).null)
	}
	for _, path := range []string{"null", "/ns"} {
		c.do("setData "+path, OpSetData, func(e *encoder) { e.maybe(path); e.null(); e.int32(-1) })
		c.do("setACL "+path, OpSetACL, func(e *encoder) { e.maybe(path); e.null(); e.int32(-1) })
		for _, op := range []Op{OpCreate, OpCreate2, OpCreateContainer} {
			c.do(fmt.Sprintf("op %d %s null acl", op, path), op, func(e *encoder) {
				e.maybe(path)
				e.null()
				e.null()
				e.int32(0)
			})
		}
	}
	c.do("setACL null", OpSetACL, func(e *encoder) { e.null(); e.acls(openACL()); e.int32(-1) })
	c.do("create null", OpCreate, func(e *encoder) {
		e.null()
		e.null()
		e.acls(openACL())
		e.int32(0)
	})
	c.readOp(OpGetData, "/ns", false)
	c.quit()
}

func nullWatches(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.do("setWatches null lists", OpSetWatches,
		func(e *encoder) { e.int64(0); e.null(); e.null(); e.null() })
	for i := range 3 {
		for _, fill := range []func(*encoder){
			(*encoder).null,
			func(e *encoder) { e.int32(1); e.null() },
		} {
			c.do(fmt.Sprintf("setWatches null at %d", i), OpSetWatches, func(e *encoder) {
				e.int64(0)
				for j := range 3 {
					if j != i {
						e.strings(nil)
						continue
					}
					fill(e)
				}
			})
		}
	}
	c.ping()
	c.quit()
}

func nullIdentities(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	create := func(scheme, id string) {
		c.do("create acl "+scheme+" "+id, OpCreate, func(e *encoder) {
			e.string("/ni-")
			e.null()
			e.int32(1)
			e.int32(31)
			e.maybe(scheme)
			e.maybe(id)
			e.int32(2)
		})
	}
	for _, scheme := range []string{"null", "world", "auth", "digest", "ip", "none"} {
		create(scheme, "null")
	}
	create("null", "anyone")
	c.auth("digest", "bob:secret")
	create("auth", "null")
	c.readOp(OpGetChildren2, "/", false)
	c.quit()
	for _, proof := range [][2]string{{"null", "bob:secret"}, {"digest", "null"}, {"ip", "null"},
		{"null", "null"}} {
		d := l.join(t, dial, "d")
		d.do(fmt.Sprintf("auth %q", proof), OpAuth, func(e *encoder) {
			e.int32(0)
			e.maybe(proof[0])
			e.maybe(proof[1])
		})
		if proof[0] == "ip" {
			d.do("whoAmI", OpWhoAmI, nil)
		}
		l.end(t, dial, d)
	}
	n := l.open(t, dial, "n")
	e := newFrame()
	e.int32(0)
	e.int64(0)
	e.int32(4000)
	e.int64(0)
	e.null() // the password
	n.nc.Write(e.frame())
	l.add("handshake with a null password: answered %v", n.read() != nil)
	n.quit()
}

func ttls(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/ttl", "", 0)
	const longest = 1<<40 - 1
	for _, ttl := range []int64{-1 << 63, -1, 0, 1, 60000, longest, longest + 1, 1<<63 - 1} {
		c.createTTL("/ttl/a", 5, ttl)
		c.readOp(OpExists, "/ttl/a", false)
		c.delete("/ttl/a", -1)
	}
	for flags := int32(-1); flags < 8; flags++ {
		c.createTTL(fmt.Sprintf("/ttl/f%d-", flags), flags, 100000)
		c.createOp(OpCreate, fmt.Sprintf("/ttl/g%d-", flags), "", flags, openACL())
		c.createOp(OpCreate2, fmt.Sprintf("/ttl/h%d-", flags), "", flags, openACL())
		c.createOp(OpCreateContainer, fmt.Sprintf("/ttl/i%d-", flags), "", flags, openACL())
	}
	c.readOp(OpGetChildren2, "/ttl", false)
	c.createTTL("/ttl/p", 5, 100000)
	c.create("/ttl/p/child", "", 0)
	c.create("/ttl/p/e", "", 1)
	c.readOp(OpGetData, "/ttl/p", false)
	c.setData("/ttl/p", "x", 0)
	c.path(OpGetEphemerals, "/ttl")
	c.multiOf("ttl", part{OpCreateTTL, func(e *encoder) {
		e.create("/ttl/m", "", 5, openACL())
		e.int64(100000)
	}}, part{OpCreateTTL, func(e *encoder) {
		e.create("/ttl/m-", "", 6, openACL())
		e.int64(100000)
	}}, creates("/ttl/m/child", 0))
	c.multiOf("ttl refused", creates("/ttl/n", 0), part{OpCreateTTL, func(e *encoder) {
		e.create("/ttl/n/t", "", 5, openACL())
		e.int64(0)
	}})
	c.readOp(OpExists, "/ttl/n", false)
	c.do("createTTL short", OpCreateTTL, func(e *encoder) { e.create("/ttl/s", "", 5, openACL()) })
	c.quit()
}

// refusedFeatures asks for what a standalone ZooKeeper of the default configuration has, but does
// not serve.
func refusedFeatures(t *testing.T, l *transcript, dial dialer) {
	reconfigs := map[string]func(*encoder){
		"join":    func(e *encoder) { e.string("server.9=h:1:2;3"); e.null(); e.null(); e.int64(-1) },
		"nothing": func(e *encoder) { e.null(); e.null(); e.null(); e.int64(-1) },
		"short":   func(e *encoder) { e.string("x") },
		"empty":   nil,
	}
	for _, name := range []string{"join", "nothing", "short", "empty"} {
		c := l.join(t, dial, "c")
		c.do("reconfig "+name, OpReconfig, reconfigs[name])
		c.ping()
		c.quit()
	}
	for _, token := range []string{"", "NTLM", "\x00bob\x00secret"} {
		c := l.join(t, dial, "c")
		c.do("sasl", OpSASL, func(e *encoder) { e.string(token) })
		c.ping()
		c.quit()
	}
	c := l.join(t, dial, "c")
	c.create("/box", "", 0)
	c.createOp(OpCreateContainer, "/box/c", "", 0, openACL())
	for _, path := range []string{"/box", "/box/c", "/nowhere", "", "/"} {
		c.path(OpDeleteContainer, path)
	}
	c.do("deleteContainer null", OpDeleteContainer, (*encoder).null)
	c.do("deleteContainer empty", OpDeleteContainer, nil)
	c.readOp(OpGetChildren, "/box", false)
	c.createOp(OpCreateContainer, "/box/d", "", 0, openACL())
	c.create("/box/d/child", "", 0)
	c.path(OpDeleteContainer, "/box/d")
	c.delete("/box/d/child", -1)
	c.path(OpDeleteContainer, "/box/d")
	c.create("/box/e", "", 1)
	c.path(OpDeleteContainer, "/box/e")
	c.createTTL("/box/t", 5, 100000)
	c.path(OpDeleteContainer, "/box/t")
	c.readOp(OpGetChildren, "/box", false)
	c.quit()
	for _, fill := range []func(*encoder){(*encoder).null, nil} {
		d := l.join(t, dial, "d")
		d.do("sasl without a token", OpSASL, fill)
		l.end(t, dial, d)
	}
}
