package zkdev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	gozk "github.com/go-zookeeper/zk"
)

// TestRestart stops a server and starts it again: tree, zxid and sessions are those of before, no
// session expired meanwhile, and each has its whole timeout again.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w, gone := l.join(t, dialTo(s), "w"), l.open(t, dialTo(s), "gone")
		gone.connect(connectRequest{timeout: 2000})
		w.create("/e", "mine", 1)
		gone.create("/gone", "", 1)
		w.addWatch("/", 1)
		zxid := s.Zxid()
		s.Stop()
		s.Stop()
		w.isClosed()
		if _, err := dialTo(s)(); err != ErrServerClosed {
			t.Errorf("dial while stopped: have %v, want ErrServerClosed", err)
		}
		time.Sleep(time.Hour)
		if have := len(s.Sessions()); have != 2 || s.Zxid() != zxid {
			t.Errorf("while stopped: have %d sessions and zxid %d, want 2 and %d", have, s.Zxid(),
				zxid)
		}
		for range 2 {
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		again, ok := l.rejoin(t, s, w)
		if _, stat, err := s.Get("/e"); !ok || err != nil || stat.EphemeralOwner != w.session {
			t.Errorf("have session %v and %+v, %v, want what was there before", ok, stat, err)
		}
		again.readOp(OpExists, "/gone", true)
		again.event(nodeDeleted, "/gone")
		if took := time.Since(begun); took < gone.timeout || took > gone.timeout+2*s.tick {
			t.Errorf("a session that nobody took up: gone after %v, want %v", took, gone.timeout)
		}
		if have := s.Sessions()[0].Watches; have != 0 {
			t.Errorf("have %d watches, want none from before", have)
		}
		s.Close()
		if err := s.Restart(); err != ErrServerClosed {
			t.Errorf("after Close: have %v, want ErrServerClosed", err)
		}
	})
}

// TestRestartAtTheSameAddress does it over TCP with a client that lives through it, credentials and
// all.
func TestRestartAtTheSameAddress(t *testing.T) {
	s, err := Start("127.0.0.1:0", TickTime(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr := s.Addr().String()
	c, events, err := gozk.Connect([]string{addr}, 2*time.Second, gozk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Close()
		for range events {
		}
	}()
	if err := c.AddAuth("digest", []byte("bob:secret")); err != nil {
		t.Fatal(err)
	}
	mine := gozk.DigestACL(gozk.PermAll, "bob", "secret")
	if _, err := c.Create("/mine", []byte("x"), gozk.FlagEphemeral, mine); err != nil {
		t.Fatal(err)
	}
	session := c.SessionID()
	s.Stop()
	taken, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port after Stop: %v, want it free", err)
	}
	if err := s.Restart(); err == nil {
		t.Error("restarted on a port that is taken")
	}
	taken.Close()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	wait.True(t, "the client is back", func() bool {
		data, _, err := c.Get("/mine")
		return err == nil && string(data) == "x"
	})
	if have := c.SessionID(); have != session {
		t.Errorf("session: have %x, want %x", have, session)
	}
}

func TestServeWhileStopped(t *testing.T) {
	s := New()
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	wait.True(t, "the listener is served", func() bool { return s.Addr() != nil })
	s.Stop()
	if err := <-served; !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve: have %v, want ErrServerClosed", err)
	}
	if err := s.Serve(l); err != ErrServerClosed {
		t.Errorf("Serve while stopped: have %v, want ErrServerClosed", err)
	}
	if err := s.Restart(); err != nil || s.Addr() != nil {
		t.Errorf("have %v and %v, want no error and no listener", err, s.Addr())
	}
}

// A poor listener has no descriptor for the first connections.
type poorListener struct {
	conns chan net.Conn
	poor  int
	once  sync.Once
}

func (l *poorListener) Accept() (net.Conn, error) {
	if l.poor > 0 {
		l.poor--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	nc, open := <-l.conns
	if !open {
		return nil, net.ErrClosed
	}
	return nc, nil
}

func (l *poorListener) Addr() net.Addr { return &net.TCPAddr{} }
func (l *poorListener) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }

// A server that has no descriptors left for a while serves again when it has.
func TestServeOutlivesAShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		l := &poorListener{conns: make(chan net.Conn), poor: 100}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		dial := func() (net.Conn, error) {
			client, server := net.Pipe()
			select {
			case l.conns <- server:
				return client, nil
			case err := <-served:
				return nil, err
			}
		}
		newTranscript().join(t, dial, "w").quit()
		s.Close()
		if err := <-served; err != ErrServerClosed {
			t.Errorf("have %v, want ErrServerClosed", err)
		}
	})
}

// TestStopInAnyState stops with clients and faults in every state, and thaws meanwhile.
func TestStopInAnyState(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.createTTL("/ttl", 5, 1000)
		l.open(t, dialTo(s), "before the handshake")
		s.Hang(true)
		l.open(t, dialTo(s), "hung")
		s.Hang(false)
		s.Freeze()
		frozen := l.open(t, dialTo(s), "frozen")
		frozen.nc.Write([]byte("ruok"))
		s.Stop()
		time.Sleep(time.Minute)
		s.Thaw()
		time.Sleep(time.Hour)
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, _, err := s.Get("/ttl"); err != NoNode || len(s.Sessions()) != 0 {
			t.Errorf("two minutes later: have %v and %v, want neither znode nor session", err,
				s.Sessions())
		}
	})
}

// A server that is stopped while it is frozen, and thawed before it is started again, keeps its
// sessions: they have not expired meanwhile.
func TestThawWhileStopped(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		w.create("/e", "", 1)
		s.Freeze()
		s.Stop()
		time.Sleep(time.Hour)
		s.Thaw()
		if have := len(s.Sessions()); have != 1 {
			t.Fatalf("sessions: have %d, want 1", have)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if again, ok := l.rejoin(t, s, w); !ok || again.readOp(OpExists, "/e", false) != OK {
			t.Error("want the session and its ephemeral")
		}
	})
}

// TestNewServerIsAhead replaces a server by a new one at the same address. A client that has seen
// changes of the old one is told that its session is gone; were it sent away, it would never come
// back.
func TestNewServerIsAhead(t *testing.T) {
	bubble(t, func(t *testing.T, _ *Server, l *transcript) {
		old := New()
		w := l.join(t, dialTo(old), "w")
		for i := range 1000 {
			w.create(fmt.Sprintf("/%d", i), "", 0)
		}
		seen := old.Zxid()
		old.Close()
		time.Sleep(time.Millisecond) // no process ends and starts sooner
		s := New()
		defer s.Close()
		if s.Zxid() <= seen {
			t.Errorf("zxid: have %d, want more than %d", s.Zxid(), seen)
		}
		again := l.open(t, dialTo(s), "again")
		request := connectRequest{session: w.session, password: w.password, lastZxid: seen}
		if again.connect(request) || again.timeout != 0 {
			t.Errorf("have session %d, want to be told that it is gone", again.session)
		}
		again.isClosed()
		if fresh := l.join(t, dialTo(s), "fresh"); fresh.session == w.session || fresh.session == 0 {
			t.Errorf("have session %d, want a new one", fresh.session)
		}
	})
}

// TestGoClientOutlivesANewServer is the same with go-zookeeper, which keeps the last zxid that it
// has seen.
func TestGoClientOutlivesANewServer(t *testing.T) {
	bubble(t, func(t *testing.T, _ *Server, l *transcript) {
		var now atomic.Pointer[Server]
		now.Store(New(TickTime(time.Second)))
		dial := func(network, addr string, _ time.Duration) (net.Conn, error) {
			return now.Load().Dial(context.Background(), network, addr)
		}
		c, events, err := gozk.Connect([]string{"zkdev:2181"}, 4*time.Second, gozk.WithDialer(dial),
			gozk.WithHostProvider(&oneHost{}), gozk.WithLogger(quiet{}), gozk.WithLogInfo(false))
		if err != nil {
			t.Fatal(err)
		}
		mustCreate(t, c, "/old", 0)
		now.Load().Close()
		time.Sleep(time.Millisecond)
		now.Store(New(TickTime(time.Second)))
		defer now.Load().Close()
		begun, there := time.Now(), true
		for err = gozk.ErrNoServer; err != nil; there, _, err = c.Exists("/old") {
			if time.Since(begun) > 5*time.Second {
				t.Fatalf("after %v: have %v, want an answer", time.Since(begun), err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if there {
			t.Error("have a znode of the old server, want a tree of its own")
		}
		c.Close()
		for range events {
		}
	})
}
