package zkdev

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestOutsideChanges makes every change from outside under the eyes of a watcher.
func TestOutsideChanges(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.addWatch("/", 1)
		data := []byte("one")
		if err := s.Create("/a", data, 0); err != nil {
			t.Fatal(err)
		}
		w.event(nodeCreated, "/a")
		data[0] = 'X'
		if have, stat, err := s.Get("/a"); string(have) != "one" || stat.Version != 0 || err != nil {
			t.Errorf("get: have %q, %+v, %v", have, stat, err)
		}
		if err := s.SetData("/a", []byte("two")); err != nil {
			t.Error(err)
		}
		w.event(nodeDataChanged, "/a")
		if err := s.Create("/a/e", nil, w.session); err != nil {
			t.Error(err)
		}
		w.event(nodeCreated, "/a/e")
		if err := s.Delete("/a"); err != NotEmpty {
			t.Errorf("delete: have %v, want NotEmpty", err)
		}
		if err := s.Delete("/a/e"); err != nil {
			t.Error(err)
		}
		w.event(nodeDeleted, "/a/e")
		w.silent(time.Second)
		if have, want := s.Zxid(), int64(6); have != want {
			t.Errorf("zxid: have %d, want %d", have, want)
		}
	})
}

func TestOutsideErrors(t *testing.T) {
	s := New()
	defer s.Close()
	if _, err := s.Children("/none"); err != NoNode {
		t.Errorf("children: have %v, want NoNode", err)
	}
	if _, _, err := s.Get("/none"); err != NoNode {
		t.Errorf("get: have %v, want NoNode", err)
	}
	if err := s.SetData("/none", nil); err != NoNode {
		t.Errorf("setData: have %v, want NoNode", err)
	}
	if err := s.Create("a", nil, 0); err != BadArguments {
		t.Errorf("create: have %v, want BadArguments", err)
	}
}

// TestEphemeralOfNobody makes an ephemeral whose session never was: it stays.
func TestEphemeralOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		s.Create("/stale", nil, 42)
		w := l.join(t, dialTo(s), "w")
		w.quit()
		time.Sleep(time.Hour)
		if _, stat, err := s.Get("/stale"); err != nil || stat.EphemeralOwner != 42 {
			t.Errorf("have %+v, %v, want a znode that 42 owns", stat, err)
		}
	})
}

func TestCounts(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		a, b := l.join(t, dialTo(s), "a"), l.join(t, dialTo(s), "b")
		a.create("/a", "", 0)
		a.create("/a", "", 0)
		b.readOp(OpGetChildren2, "/", true)
		b.readOp(OpExists, "/a", true)
		if have := s.Requests(OpCreate, OpDelete, OpGetChildren2); have != 3 {
			t.Errorf("requests: have %d, want 3", have)
		}
		if have := s.Requests(OpConnect); have != 2 {
			t.Errorf("handshakes: have %d, want 2", have)
		}
		b.nc.Close()
		synctest.Wait()
		if s.Dials() != 2 || s.Connections() != 1 {
			t.Errorf("have %d dials and %d connections, want 2 and 1", s.Dials(), s.Connections())
		}
		if have := s.Sessions(); have[0].Watches != 0 || have[1].Watches != 0 || have[1].Connected {
			t.Errorf("have %+v, want no watches: they end with the connection", have)
		}
	})
}
