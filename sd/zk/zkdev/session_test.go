package zkdev

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test in virtual time on a server with a tick of one second.
func bubble(t *testing.T, run func(t *testing.T, s *Server, l *transcript)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(TickTime(time.Second), FirstZxid(0))
		defer s.Close()
		run(t, s, newTranscript())
	})
}

func TestTimeoutIsClamped(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		for asked, want := range map[int32]time.Duration{0: 2, -5: 2, 1999: 2, 3000: 3, 20000: 20,
			20001: 20, 1 << 30: 20} {
			w := l.open(t, dialTo(s), "w")
			w.connect(connectRequest{timeout: asked})
			if w.timeout != want*time.Second {
				t.Errorf("asked for %d ms: have %v, want %v", asked, w.timeout, want*time.Second)
			}
			w.quit()
		}
	})
}

func TestSessionExpires(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		time.Sleep(300 * time.Millisecond) // off the tick
		w := l.join(t, dialTo(s), "w")
		w.create("/e", "", 1)
		start := time.Now()
		w.isClosed()
		if have, want := time.Since(start), 4700*time.Millisecond; have != want {
			t.Errorf("silent session: have closed after %v, want %v", have, want)
		}
		if _, _, err := s.Get("/e"); err != NoNode {
			t.Errorf("ephemeral of an expired session: have %v, want NoNode", err)
		}
		again := l.open(t, dialTo(s), "again")
		if again.connect(connectRequest{session: w.session, password: w.password}) {
			t.Error("an expired session was taken up again")
		}
		again.isClosed()
	})
}

func TestAnyRequestKeepsTheSession(t *testing.T) {
	requests := map[string]func(*wire){
		"ping":   func(w *wire) { w.ping() },
		"read":   func(w *wire) { w.readOp(OpExists, "/", false) },
		"failed": func(w *wire) { w.delete("/none", -1) },
	}
	for name, request := range requests {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			w := l.join(t, dialTo(s), "w")
			for range 5 {
				time.Sleep(3 * time.Second)
				request(w)
			}
			if len(s.Sessions()) != 1 {
				t.Errorf("%s: the session is gone", name)
			}
		})
	}
}

// TestSessionOutlivesConnection reconnects within the timeout and finds the ephemeral.
func TestSessionOutlivesConnection(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/e", "", 1)
		w.nc.Close()
		synctest.Wait()
		if have := s.Sessions()[0]; have.Connected || have.Ephemerals[0] != "/e" {
			t.Errorf("have %+v, want a session without a connection that owns /e", have)
		}
		zxid := s.Zxid()
		time.Sleep(3 * time.Second)
		again := l.open(t, dialTo(s), "again")
		again.connect(connectRequest{session: w.session, password: w.password, timeout: 10000,
			lastZxid: zxid})
		time.Sleep(9 * time.Second)
		if have := s.Sessions(); len(have) != 1 || have[0].Timeout != 10*time.Second {
			t.Errorf("have %+v, want the session with the timeout asked for last", have)
		}
		if have := s.Zxid(); have != zxid {
			t.Errorf("zxid: have %d, want %d: a reconnect changes nothing", have, zxid)
		}
	})
}

// TestShorterTimeout comes back with a shorter timeout, which must hold at once.
func TestShorterTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.open(t, dialTo(s), "w")
		w.connect(connectRequest{timeout: 20000})
		w.nc.Close()
		again := l.open(t, dialTo(s), "again")
		again.connect(connectRequest{session: w.session, password: w.password, timeout: 2000})
		start := time.Now()
		again.isClosed()
		if have, want := time.Since(start), 3*time.Second; have != want {
			t.Errorf("have an end after %v, want %v", have, want)
		}
	})
}

func TestContainerIsReaped(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.createOp(OpCreateContainer, "/unused", "", 4, openACL())
		w.createOp(OpCreateContainer, "/outer", "", 4, openACL())
		w.createOp(OpCreateContainer, "/outer/inner", "", 4, openACL())
		w.create("/outer/inner/a", "", 0)
		w.delete("/outer/inner/a", -1)
		w.quit()
		time.Sleep(time.Minute - 1)
		if _, err := s.Children("/outer/inner"); err != nil {
			t.Errorf("before the minute: have %v, want the container", err)
		}
		time.Sleep(2 * time.Nanosecond)
		if have, _ := s.Children("/outer"); len(have) != 0 {
			t.Errorf("after the minute: have %v, want no inner container", have)
		}
		time.Sleep(time.Minute)
		if have, _ := s.Children("/"); len(have) != 2 || have[0] != "unused" {
			t.Errorf("after two minutes: have %v, want the container that never had children", have)
		}
	})
}

// TestCloseEndsEverything closes with clients in every state; the bubble fails the test when a
// goroutine is left.
func TestCloseEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		l.join(t, dialTo(s), "idle")
		l.open(t, dialTo(s), "before the handshake")
		s.Hang(true)
		l.open(t, dialTo(s), "hung")
		s.Hang(false)
		deaf := l.join(t, dialTo(s), "deaf")
		for range 100 {
			deaf.send(1, OpExists, func(e *encoder) { e.string("/"); e.bool(true) })
		}
		s.Slow(time.Hour)
		slow := l.open(t, dialTo(s), "slow")
		slow.nc.Write([]byte("ruok"))
		s.Freeze()
		frozen := l.open(t, dialTo(s), "frozen")
		frozen.nc.Write([]byte("ruok"))
		s.Close()
		s.Close()
		if _, err := dialTo(s)(); err != ErrServerClosed {
			t.Errorf("dial after Close: have %v, want ErrServerClosed", err)
		}
		if have := s.Connections(); have != 0 {
			t.Errorf("connections after Close: have %d, want 0", have)
		}
	})
}

// A session that is expired while its client is connected hears of what goes with it, and then its
// connection ends.
func TestExpiredHearsOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/a", "", 1)
		w.readOp(OpExists, "/a", true)
		s.Expire(w.session)
		w.event(nodeDeleted, "/a")
		w.isClosed()
	})
}

// Who sees the end of a connection finds nothing of it on the server.
func TestEndIsSeenLast(t *testing.T) {
	s := New()
	defer s.Close()
	for name, end := range map[string]func(*wire){
		"close":  func(w *wire) { w.quit() },
		"expire": func(w *wire) { s.Expire(w.session); w.isClosed() },
	} {
		for n := range 500 {
			w := newTranscript().join(t, dialTo(s), "w")
			w.addWatch("/", 1)
			end(w)
			s.mu.Lock()
			conns, watches := len(s.conns), s.watches.size()
			s.mu.Unlock()
			if conns+watches > 0 {
				t.Fatalf("%s %d: have %d connections and %d watches", name, n, conns, watches)
			}
		}
	}
}

// What was queued before the end of a session reaches its client, however slowly.
func TestExpiredWhileSlow(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/a", "", 1)
		w.readOp(OpExists, "/a", true)
		s.Slow(time.Minute)
		w.send(1, OpSync, func(e *encoder) { e.string("/") })
		synctest.Wait()
		s.Expire(w.session)
		if have := w.await("sync", OpSync, 1); have != OK {
			t.Errorf("a reply before the end: have code %d, want OK", have)
		}
		w.event(nodeDeleted, "/a")
		w.isClosed()
	})
}

// A client that says goodbye, or hangs up halfway, and reads nothing is not waited for.
func TestClientThatLeavesWithoutReading(t *testing.T) {
	for name, leave := range map[string]func(*wire){
		"close":   func(w *wire) { w.send(1, OpCloseSession, nil) },
		"unknown": func(w *wire) { w.send(1, 99, nil) },
		"word":    func(w *wire) { w.nc.Write([]byte("srvr")) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *Server, l *transcript) {
				w := l.open(t, dialTo(s), "w")
				if name != "word" {
					w.connect(connectRequest{timeout: 20000})
				}
				leave(w)
				time.Sleep(time.Minute)
				if have := s.Connections(); have != 0 {
					t.Errorf("have %d connections, want none", have)
				}
			})
		})
	}
}

// A connection on which nobody asks for a session ends after a while.
func TestConnectionWithoutASession(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		nc, err := s.Dial(t.Context(), "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := nc.Read(make([]byte, 1)); err == nil || time.Since(begun) != handshakeTimeout {
			t.Errorf("have %v after %v, want the end after %v", err, time.Since(begun),
				handshakeTimeout)
		}
	})
}

// A client that asks for much and reads nothing is cut off.
func TestClientThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		if err := s.Create("/big", make([]byte, 1<<20-1000), 0); err != nil {
			t.Fatal(err)
		}
		for n := range 4 * maxQueued >> 20 {
			w.nc.SetWriteDeadline(time.Now().Add(time.Second))
			request := newFrame()
			request.int32(int32(n + 1))
			request.int32(int32(OpGetData))
			request.string("/big")
			request.bool(false)
			if _, err := w.nc.Write(request.frame()); err != nil {
				return
			}
		}
		t.Errorf("have %d replies queued, want the connection closed", 4*maxQueued>>20)
	})
}

// A change that is told twice to one who has too much waiting ends his connection, and nothing
// else.
func TestCutOffAmongEvents(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		path := "/" + strings.Repeat("x", 900_000)
		w.readOp(OpExists, path, true)
		w.readOp(OpGetChildren, "/", true)
		if err := s.Create("/big", make([]byte, 1<<20-1000), 0); err != nil {
			t.Fatal(err)
		}
		w.readOp(OpGetChildren, "/", true)
		for n := range maxQueued >> 20 {
			w.send(int32(n+100), OpGetData, func(e *encoder) { e.string("/big"); e.bool(false) })
		}
		synctest.Wait()
		if err := s.Create(path, nil, 0); err != nil {
			t.Fatal(err)
		}
		if have := s.Sessions(); len(have) != 1 {
			t.Errorf("have %v, want the session", have)
		}
	})
}
