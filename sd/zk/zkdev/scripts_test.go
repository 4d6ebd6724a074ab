package zkdev

import "testing"

// scripts are what both servers are asked. Each ends its sessions, so that nothing in it depends on
// time.
var scripts = []struct {
	name string
	run  func(*testing.T, *transcript, dialer)
}{
	{"fresh tree", freshTree},
	{"versions and stats", versions},
	{"refusals", refusals},
	{"paths", paths},
	{"sequential", sequential},
	{"ephemeral", ephemeral},
	{"multi", multiScript},
	{"one-shot watches", oneShots},
	{"persistent watches", persistents},
	{"watches replaced", replacedWatches},
	{"pairs of watches", pairsOfWatches},
	{"set watches", setWatchesScript},
	{"remove watches", removeWatchesScript},
	{"watches on what may not be read", unreadable},
	{"acl", acls},
	{"auth", auths},
	{"sessions", sessionsScript},
	{"unknown operations", unknowns},
	{"queries", queries},
	{"multiRead", multiReads},
	{"null paths", nullPaths},
	{"null watches", nullWatches},
	{"null identities", nullIdentities},
	{"ttl", ttls},
	{"refused features", refusedFeatures},
	{"malformed", malformed},
	{"creates in multis", createsInMultis},
}

func freshTree(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota"} {
		c.readOp(OpExists, path, false)
		c.readOp(OpGetData, path, false)
		c.readOp(OpGetChildren2, path, false)
		c.getACL(path)
	}
	c.getACL("/zookeeper/config")
	c.ping()
	c.quit()
}

func versions(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/v", "one", 0)
	c.createOp(OpCreate2, "/v/a", "", 0, openACL())
	c.createOp(OpCreateContainer, "/v/c", "x", 4, openACL())
	c.readOp(OpExists, "/v", false)
	c.setData("/v", "two", 0)
	c.setData("/v", "three", 0)
	c.setData("/v", "three", -1)
	c.readOp(OpGetData, "/v", false)
	c.delete("/v/a", 1)
	c.delete("/v/a", 0)
	c.readOp(OpGetChildren, "/v", false)
	c.readOp(OpGetChildren2, "/v", false)
	c.create("/v/a", "", 0)
	c.create("/v/b", "", 0)
	c.readOp(OpExists, "/v", false)
	c.check("/v", 7)
	c.check("/nowhere", 7)
	c.do("sync", OpSync, func(e *encoder) { e.string("/v") })
	c.do("sync", OpSync, func(e *encoder) { e.string("/nowhere") })
	c.quit()
}

func refusals(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/r", "", 0)
	c.create("/r", "", 0)
	c.create("/r/a/b", "", 0)
	c.create("/r/e", "", 1)
	c.create("/r/e/child", "", 0)
	c.create("/r/e", "", 1)
	c.delete("/r", -1)
	c.delete("/nowhere", -1)
	c.delete("/nowhere/at/all", -1)
	c.delete("/", -1)
	c.delete("/zookeeper", -1)
	c.delete("/zookeeper/quota", -1)
	c.delete("/zookeeper/config", -1)
	c.setData("/nowhere", "", -1)
	for _, op := range []Op{OpExists, OpGetData, OpGetChildren, OpGetChildren2} {
		c.readOp(op, "/nowhere", true)
	}
	c.getACL("/nowhere")
	c.setACL("/nowhere", -1, openACL()...)
	for _, flags := range []int32{4, 7, -1, 5, 6} {
		c.create("/r/flags", "", flags)
		c.readOp(OpExists, "/r/flags", false)
		c.delete("/r/flags", -1)
	}
	c.do("createTTL", OpCreateTTL, func(e *encoder) {
		e.create("/r/ttl", "", 5, openACL())
		e.int64(1000)
	})
	c.createOp(OpCreateContainer, "/r/c0", "", 0, openACL())
	c.createOp(OpCreateContainer, "/r/c1", "", 1, openACL())
	c.readOp(OpExists, "/r", false)
	c.quit()
}

func paths(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/p", "", 0)
	for _, path := range []string{
		"", "/", "p", "//", "/p/", "/p//a", "/p/.", "/p/..", "/p/./a", "/p/../a", "/p/...",
		"/p/a\x00b", "/p/a\x1fb", "/p/a\x7fb",
		"/p/a\u0080", "/p/ä", "/p/\ue000", "/p/\uf8ff", "/p/\uf900", "/p/\uffef", "/p/\ufff0",
		"/p/\U0001f600", "/p/a b", "/p/\xff",
	} {
		c.create(path, "", 0)
		c.readOp(OpExists, path, false)
		c.readOp(OpGetData, path, false)
		c.readOp(OpGetChildren, path, false)
		c.check(path, 9)
		c.setData(path, "", -1)
		c.setACL(path, -1, openACL()...)
		if path != "/" {
			c.delete(path, -1)
		}
	}
	c.quit()
}

func sequential(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/s", "", 0)
	c.create("/s/n-", "", 2)
	c.create("/s/n-", "", 2)
	c.delete("/s/n-0000000000", -1)
	c.create("/s/n-", "", 3)
	c.create("/s/", "", 2)
	c.create("/s/other", "", 0)
	c.createOp(OpCreate2, "/s/n-", "", 2, openACL())
	c.readOp(OpGetChildren2, "/s", false)
	c.quit()
}

func ephemeral(t *testing.T, l *transcript, dial dialer) {
	a, b := l.join(t, dial, "a"), l.join(t, dial, "b")
	a.create("/e", "", 0)
	a.create("/e/x", "mine", 1)
	b.readOp(OpExists, "/e/x", true)
	b.readOp(OpGetChildren2, "/e", true)
	b.delete("/e/none", -1)
	a.quit()
	b.ping()
	b.readOp(OpGetChildren2, "/e", false)
	b.readOp(OpExists, "/e/x", false)
	b.quit()
}

func multiScript(t *testing.T, l *transcript, dial dialer) {
	c, w := l.join(t, dial, "c"), l.join(t, dial, "w")
	c.create("/m", "", 0)
	c.create("/m/a", "", 1)
	w.addWatch("/m", 1)
	w.readOp(OpGetChildren, "/m", true)
	c.multiOf("replace", deletes("/m/a", 0), creates("/m/a", 1))
	w.ping()
	c.readOp(OpExists, "/m/a", false)
	c.readOp(OpExists, "/m", false)
	c.multiOf("all", checks("/m", 0), sets("/m", 0), creates("/m/n-", 2), creates("/m/n-", 2),
		part{OpCreate2, func(e *encoder) { e.create("/m/two", "x", 0, openACL()) }},
		part{OpCreateContainer, func(e *encoder) { e.create("/m/box", "", 4, openACL()) }})
	w.ping()
	c.multiOf("fails", sets("/m", 1), creates("/m/b", 0), deletes("/m/b", 5), creates("/m/c", 0),
		sets("/m", 0))
	w.ping()
	c.readOp(OpExists, "/m", false)
	c.readOp(OpGetChildren2, "/m", false)
	c.multiOf("first fails", checks("/m", 9), sets("/m", -1))
	c.multiOf("own child", creates("/m/d", 0), creates("/m/d/e", 0), deletes("/m/d/e", -1),
		deletes("/m/d", -1))
	w.ping()
	c.multiOf("twice", sets("/m", -1), sets("/m", -1))
	c.multiOf("nothing")
	c.multiOf("a read", part{OpGetData, func(e *encoder) { e.string("/m"); e.bool(false) }})
	c.multiOf("unknown", part{99, func(e *encoder) {}})
	c.multiOf("setACL", part{OpSetACL, func(e *encoder) { e.string("/m"); e.acls(openACL()); e.int32(-1) }})
	c.ping()
	c.readOp(OpExists, "/m", false)
	c.quit()
	w.quit()
}

// end closes the session of w, on another connection if its own has ended. A session that was left
// would expire during a later script, or not, and take a zxid there.
func (l *transcript) end(t *testing.T, dial dialer, w *wire) {
	if w.ping() != OK {
		w.nc.Close()
		session, password := w.session, w.password
		w = l.open(t, dial, w.name)
		w.connect(connectRequest{timeout: 4000, session: session, password: password})
	}
	w.quit()
}

func acls(t *testing.T, l *transcript, dial dialer) {
	c, x := l.join(t, dial, "c"), l.join(t, dial, "x")
	bob := digest("bob:secret")
	c.createOp(OpCreate, "/acl", "", 0, nil)
	c.createOp(OpCreate, "/acl", "", 0, []acl{{31, identity{"auth", ""}}})
	for _, id := range []identity{{"world", "everyone"}, {"digest", "bob"}, {"digest", "a:b:c"},
		{"ip", "bad"}, {"none", "x"}, {"", ""},
		{"ip", "1.2.3.4/33"}, {"ip", "010.0.00.255"}, {"ip", "10.0.0.0/08"}, {"ip", "10.0.0.0/"},
		{"ip", "10.0.0.256"}, {"ip", "10.0.0"}, {"ip", "10.0.0.0/8/8"}, {"ip", "::1"},
		{"ip", "::ffff:1.2.3.4"}, {"ip", "1.2.3.4 "}, {"ip", "+1.2.3.4"}, {"ip", "1.2.3.-4"},
		{"ip", "1.2.3.4/-1"}, {"ip", "1.2.3.4/+8"}, {"ip", ""}, {"ip", "1.2.3.4/0"}, {"ip", "/8"},
		{"ip", "1.2.3.4/99999999999"}, {"ip", "1.2.3.99999999999"}, {"digest", ":"}, {"digest", "u:"}, {"digest", ":h"}, {"digest",
			"a:b:"}, {"x509", "CN=a"}, {"super", ""}} {
		c.createOp(OpCreate, "/acl", "", 0, []acl{{31, id}})
		c.delete("/acl", -1)
	}
	c.auth("digest", "bob:secret")
	c.createOp(OpCreate, "/acl", "kept", 0, []acl{{31, identity{"auth", "ignored"}}, {1, anyone},
		{1, anyone}})
	c.getACL("/acl")
	x.getACL("/acl")
	x.readOp(OpGetData, "/acl", false)
	x.setData("/acl", "", -1)
	x.setData("/acl", "", 9)
	x.create("/acl/a", "", 0)
	x.setACL("/acl", -1, openACL()...)
	x.check("/acl", 9)
	c.create("/acl/a", "", 0)
	x.delete("/acl/a", -1)
	x.delete("/acl/none", -1)
	x.multiOf("denied", creates("/other", 0), deletes("/acl/a", -1))
	c.setACL("/acl", 3, acl{permCreate, anyone}, acl{31, bob})
	c.setACL("/acl", 0, acl{permCreate, anyone}, acl{31, bob})
	c.setACL("/acl", 0, acl{permCreate, anyone}, acl{31, bob})
	for _, op := range []Op{OpExists, OpGetData, OpGetChildren, OpGetChildren2} {
		x.readOp(op, "/acl", true)
	}
	x.getACL("/acl")
	x.check("/acl", 9)
	x.create("/acl/b", "", 0)
	x.auth("digest", "bob:wrong")
	x.readOp(OpGetData, "/acl", false)
	x.auth("digest", "bob:secret")
	x.readOp(OpGetData, "/acl", false)
	c.createOp(OpCreate, "/acl/ip", "", 0, []acl{{1, identity{"ip", "127.0.0.0/8"}}})
	c.createOp(OpCreate, "/acl/far", "", 0, []acl{{1, identity{"ip", "10.0.0.1"}}})
	x.readOp(OpGetData, "/acl/ip", false)
	x.readOp(OpGetData, "/acl/far", false)
	c.quit()
	x.quit()
}

func auths(t *testing.T, l *transcript, dial dialer) {
	for _, scheme := range []string{"digest", "ip", "world", "none", "auth", ""} {
		c := l.join(t, dial, "c")
		c.auth(scheme, "user:password")
		l.end(t, dial, c)
	}
	c := l.join(t, dial, "c")
	for _, secret := range []string{"", "nocolon", "a:b:c", ":"} {
		c.auth("digest", secret)
		c.createOp(OpCreate, "/auth-", "", 2, []acl{{31, identity{"auth", ""}}})
	}
	c.readOp(OpGetChildren, "/", false)
	c.quit()
}
