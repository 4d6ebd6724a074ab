package zkdev

import (
	"testing"
	"testing/synctest"
	"time"
)

// rejoin takes a session up on a new connection.
func (l *transcript) rejoin(t *testing.T, s *Server, old *wire) (*wire, bool) {
	w := l.open(t, dialTo(s), old.name+" again")
	ok := w.connect(connectRequest{session: old.session, password: old.password, timeout: 4000})
	return w, ok
}

func TestExpire(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		victim, other := l.join(t, dialTo(s), "victim"), l.join(t, dialTo(s), "other")
		victim.create("/e", "", 1)
		other.readOp(OpExists, "/e", true)
		s.Expire(victim.session)
		victim.isClosed()
		other.event(nodeDeleted, "/e")
		if _, ok := l.rejoin(t, s, victim); ok {
			t.Error("the expired session lives")
		}
		if other.ping() != OK {
			t.Error("the other session is gone too")
		}
		s.Expire()
		if have := s.Sessions(); len(have) != 0 {
			t.Errorf("sessions: have %v, want none", have)
		}
	})
}

func TestReplace(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/e", "", 1)
		s.Replace(w.session)
		w.isClosed()
		again, ok := l.rejoin(t, s, w)
		if !ok || again.session == w.session {
			t.Errorf("have session %d, want a fresh one in place of %d", again.session, w.session)
		}
		if code := again.readOp(OpExists, "/e", false); code != NoNode {
			t.Errorf("ephemeral of the old session: have code %d, want NoNode", code)
		}
	})
}

func TestHoldEphemerals(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		dead, other := l.join(t, dialTo(s), "dead"), l.join(t, dialTo(s), "other")
		dead.create("/stale", "", 1)
		other.readOp(OpExists, "/stale", true)
		s.HoldEphemerals()
		s.Expire(dead.session)
		if _, stat, err := s.Get("/stale"); err != nil || stat.EphemeralOwner != dead.session {
			t.Errorf("held: have %+v, %v, want a znode of the dead session", stat, err)
		}
		other.silent(time.Second)
		s.ReleaseEphemerals()
		other.event(nodeDeleted, "/stale")
		other.create("/own", "", 1)
		s.HoldEphemerals()
		other.quit()
		if _, _, err := s.Get("/own"); err != NoNode {
			t.Errorf("a session that its client closes leaves an ephemeral: %v", err)
		}
	})
}

func TestDropReply(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w, other := l.join(t, dialTo(s), "w"), l.join(t, dialTo(s), "other")
		w.addWatch("/", 1)
		other.addWatch("/", 1)
		s.DropReply(OpCreate)
		w.readOp(OpExists, "/", false)
		if code := w.create("/applied", "", 1); code != closed {
			t.Errorf("have code %d, want the end of the connection", code)
		}
		other.event(nodeCreated, "/applied")
		again, _ := l.rejoin(t, s, w)
		if code := again.create("/applied", "", 1); code != NodeExists {
			t.Errorf("the second create: have code %d, want NodeExists", code)
		}
	})
}

func TestDropConnectReply(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		s.DropReply(OpConnect)
		w := l.open(t, dialTo(s), "w")
		if w.connect(connectRequest{timeout: 4000}) || len(s.Sessions()) != 1 {
			t.Errorf("have %v, want one session that its client does not know", s.Sessions())
		}
	})
}

func TestFailNext(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		s.FailNext(OpCreate, NoAuth)
		s.FailNext(OpCreate, RuntimeInconsistency)
		s.FailNext(OpAuth, AuthFailed)
		for _, want := range []Code{NoAuth, RuntimeInconsistency, OK} {
			if have := w.create("/a", "", 0); have != want {
				t.Errorf("create: have code %d, want %d", have, want)
			}
		}
		if _, stat, _ := s.Get("/a"); stat.Czxid != 4 {
			t.Errorf("have zxid %d, want 4: failures use theirs up", stat.Czxid)
		}
		if have := w.auth("digest", "a:b"); have != AuthFailed {
			t.Errorf("auth: have code %d, want AuthFailed", have)
		}
		w.isClosed()
	})
}

// A server to which a session does not belong any more says nothing: it closes the connection, and
// the request has used up a zxid.
func TestSessionMoved(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		s.FailNext(OpCreate, SessionMoved)
		if have := w.create("/a", "", 0); have != closed {
			t.Errorf("create: have code %d, want the connection closed", have)
		}
		if _, _, err := s.Get("/a"); err != NoNode || len(s.Sessions()) != 1 {
			t.Errorf("have %v and %v, want no node, and the session", err, s.Sessions())
		}
		if err := s.Create("/b", nil, 0); err != nil {
			t.Fatal(err)
		}
		if _, stat, _ := s.Get("/b"); stat.Czxid != 3 {
			t.Errorf("have zxid %d, want 3: a failure uses one up", stat.Czxid)
		}
	})
}

func TestHangAndRefuse(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		old := l.join(t, dialTo(s), "old")
		s.Hang(true)
		hung := l.open(t, dialTo(s), "hung")
		hung.nc.Write([]byte("ruok"))
		hung.silent(time.Second)
		s.Hang(false)
		hung.silent(time.Second)
		old, _ = l.rejoin(t, s, old)
		s.Refuse(true)
		l.open(t, dialTo(s), "refused").isClosed()
		if old.ping() != OK {
			t.Error("an open connection was refused")
		}
		s.Refuse(false)
		l.join(t, dialTo(s), "new")
		if have, want := s.Dials(), 5; have != want {
			t.Errorf("dials: have %d, want %d", have, want)
		}
	})
}

func TestSlow(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		s.Slow(700 * time.Millisecond)
		start := time.Now()
		w.send(1, OpExists, func(e *encoder) { e.string("/"); e.bool(false) })
		w.send(2, OpExists, func(e *encoder) { e.string("/"); e.bool(false) })
		w.read()
		w.read()
		if have, want := time.Since(start), 700*time.Millisecond; have != want {
			t.Errorf("two requests together: have %v, want %v", have, want)
		}
		s.Slow(0)
		start = time.Now()
		w.ping()
		if have := time.Since(start); have != 0 {
			t.Errorf("afterwards: have %v, want no delay", have)
		}
	})
}

func TestFreeze(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		s.Freeze()
		w.send(1, OpExists, func(e *encoder) { e.string("/"); e.bool(false) })
		late := l.open(t, dialTo(s), "late")
		late.nc.Write([]byte("ruok"))
		w.silent(3 * time.Second)
		s.Thaw()
		if code := w.await("frozen request", OpExists, 1); code != OK {
			t.Errorf("after a short freeze: have code %d, want OK", code)
		}
		answer := make([]byte, 4)
		if late.nc.Read(answer); string(answer) != "imok" {
			t.Errorf("dialled while frozen: have %q, want imok", answer)
		}
		s.Freeze()
		time.Sleep(time.Hour)
		if have := len(s.Sessions()); have != 1 {
			t.Errorf("sessions while frozen: have %d, want 1", have)
		}
		w.send(xidPing, OpPing, nil)
		s.Thaw()
		w.isClosed()
		if have := len(s.Sessions()); have != 0 {
			t.Errorf("sessions after a long freeze: have %d, want 0", have)
		}
	})
}

// A frozen server ends no connection either, however long its client has not had a session, and
// removes nothing.
func TestFrozenServerWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		early := l.open(t, dialTo(s), "early")
		w := l.join(t, dialTo(s), "w")
		w.createTTL("/short", flagTTL, 1)
		s.Freeze()
		s.Expire(w.session)
		w.silent(time.Minute)
		late := l.open(t, dialTo(s), "late")
		late.nc.Write([]byte("ruok"))
		late.silent(10 * time.Minute)
		early.silent(time.Second)
		if _, _, err := s.Get("/short"); err != nil {
			t.Errorf("a znode whose lifetime has passed: have %v, want it there", err)
		}
		s.Thaw()
		answer := make([]byte, 4)
		if late.nc.Read(answer); string(answer) != "imok" {
			t.Errorf("afterwards: have %q, want imok", answer)
		}
		w.isClosed()
		early.isClosed()
		time.Sleep(time.Minute)
		if _, _, err := s.Get("/short"); err != NoNode {
			t.Errorf("a minute later: have %v, want NoNode", err)
		}
	})
}

// TestFrozenServerTellsNothing changes the tree from outside while the server is frozen.
func TestFrozenServerTellsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.addWatch("/", 1)
		s.Freeze()
		s.Freeze()
		s.Create("/a", nil, 0)
		w.silent(time.Second)
		s.Thaw()
		s.Thaw()
		w.event(nodeCreated, "/a")
	})
}

func TestForgetWatches(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		deaf, other := l.join(t, dialTo(s), "deaf"), l.join(t, dialTo(s), "other")
		for _, w := range []*wire{deaf, other} {
			w.readOp(OpGetChildren, "/", true)
			w.addWatch("/", 1)
		}
		s.ForgetWatches(deaf.session)
		if have := s.Sessions(); have[0].Watches != 0 || have[1].Watches != 2 {
			t.Errorf("watches: have %+v, want 0 and 2", have)
		}
		s.Create("/a", nil, 0)
		other.event(nodeCreated, "/a")
		deaf.silent(time.Second)
		s.ForgetWatches()
		s.Create("/b", nil, 0)
		other.silent(time.Second)
	})
}

func TestDisconnect(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		a, b := l.join(t, dialTo(s), "a"), l.join(t, dialTo(s), "b")
		unknown := l.open(t, dialTo(s), "unknown")
		s.Disconnect(a.session)
		a.isClosed()
		if b.ping() != OK {
			t.Error("the other was cut as well")
		}
		s.Disconnect()
		b.isClosed()
		unknown.isClosed()
		if have := s.Sessions(); len(have) != 2 || have[0].Connected || have[1].Connected {
			t.Errorf("have %+v, want two sessions without connections", have)
		}
	})
}

func TestWipe(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/a", "", 0)
		zxid := s.Zxid()
		s.Wipe()
		w.isClosed()
		if have := s.Zxid(); have != 0 {
			t.Errorf("zxid: have %d, want 0", have)
		}
		ahead := l.open(t, dialTo(s), "ahead")
		ahead.connect(connectRequest{session: w.session, password: w.password, lastZxid: zxid})
		if _, ok := l.rejoin(t, s, w); ok || ahead.session != 0 {
			t.Error("a session survived")
		}
		fresh := l.join(t, dialTo(s), "fresh")
		if fresh.session == w.session || fresh.readOp(OpExists, "/a", false) != NoNode {
			t.Error("something of the old server is left")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func TestLimitOps(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		s.LimitOps(102)
		if code := w.setWatches(OpSetWatches, 0, nil, nil, nil); code != OK {
			t.Errorf("setWatches on an old server: have code %d, want OK", code)
		}
		if code := w.addWatch("/", 0); code != Unimplemented {
			t.Errorf("addWatch on an old server: have code %d, want Unimplemented", code)
		}
		w.isClosed()
		s.LimitOps(0)
		again, _ := l.rejoin(t, s, w)
		if code := again.addWatch("/", 0); code != OK {
			t.Errorf("addWatch without the limit: have code %d, want OK", code)
		}
	})
}
