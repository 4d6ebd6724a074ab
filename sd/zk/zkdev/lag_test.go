package zkdev

import (
	"testing"
	"time"
)

func TestLag(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		s.Create("/p", nil, 0)
		reader, early := l.join(t, dialTo(s), "reader"), l.join(t, dialTo(s), "early")
		early.addWatch("/p", 1)
		zxid := s.Zxid()
		s.Lag()
		s.Create("/p/a", nil, 0)
		s.Create("/p/b", nil, 0)
		s.Delete("/p/a")
		if code := reader.readOp(OpGetChildren2, "/p/a", true); code != NoNode {
			t.Errorf("a read of what is new: have code %d, want NoNode", code)
		}
		// After the changes, but on the older tree: it must still hear of one.
		reader.readOp(OpGetChildren, "/p", true)
		reader.silent(time.Second)
		early.silent(time.Second)

		ahead := l.open(t, dialTo(s), "ahead")
		if ahead.connect(connectRequest{timeout: 4000, lastZxid: zxid + 1}) {
			t.Error("a client that has seen more was let in")
		}
		if late := l.join(t, dialTo(s), "late"); late.readOp(OpExists, "/p/b", false) != NoNode {
			t.Error("a client that came later sees the newer tree")
		}

		s.CatchUp()
		reader.event(nodeChildrenChanged, "/p")
		early.event(nodeCreated, "/p/a")
		early.event(nodeCreated, "/p/b")
		early.event(nodeDeleted, "/p/a")
		if code := reader.readOp(OpExists, "/p/b", false); code != OK {
			t.Errorf("after the lag: have code %d, want OK", code)
		}
		s.Create("/p/c", nil, 0)
		early.event(nodeCreated, "/p/c")
		reader.silent(time.Second)
	})
}

// TestLagEndsWithWriteAndSync shows that a client reads its own writes, and that sync helps.
func TestLagEndsWithWriteAndSync(t *testing.T) {
	catchers := map[string]func(*wire){
		"write": func(w *wire) { w.create("/own", "", 0) },
		"sync":  func(w *wire) { w.do("sync", OpSync, func(e *encoder) { e.string("/") }) },
	}
	for name, catch := range catchers {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w, other := l.join(t, dialTo(s), "w"), l.join(t, dialTo(s), "other")
			w.readOp(OpExists, "/new", true)
			s.Lag()
			s.Create("/new", nil, 0)
			catch(w)
			if have, want := l.lines[len(l.lines)-2], "w event: kind 1 state 3 /new (zxid -1)"; have != want {
				t.Errorf("%s: before its reply have %q, want %q", name, have, want)
			}
			if w.readOp(OpExists, "/new", false) != OK || other.readOp(OpExists, "/new",
				false) != NoNode {
				t.Errorf("%s: want an end of the lag for this client alone", name)
			}
		})
	}
}

func TestLagOfOneSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		behind, other := l.join(t, dialTo(s), "behind"), l.join(t, dialTo(s), "other")
		for _, w := range []*wire{behind, other} {
			w.addWatch("/", 1)
		}
		s.Lag(behind.session)
		s.Create("/new", nil, 0)
		other.event(nodeCreated, "/new")
		behind.silent(time.Second)
		if other.readOp(OpExists, "/new", false) != OK || behind.readOp(OpExists, "/new",
			false) != NoNode {
			t.Error("want a lag of one session alone")
		}
		s.Lag() // from here on
		behind.event(nodeCreated, "/new")
		if behind.readOp(OpExists, "/new", false) != OK {
			t.Error("a second lag begins where the first one did")
		}
	})
}
