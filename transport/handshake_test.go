package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/transport/transporttest"
)

// A seenHandshake is a server of TLS of which a test sees how many turns are taken at each costly
// part of a handshake.
type seenHandshake struct {
	*Server
	addr string
	pool *x509.CertPool
	own  tls.Certificate

	mu    sync.Mutex
	turns []int
}

// startSeen serves with one certificate, which clients have to show as well.
func startSeen(t *testing.T) *seenHandshake {
	authority := transporttest.NewAuthority(t)
	files := TLSFiles{CA: authority.File}
	files.Cert, files.Key = authority.Issue("daytime.example.com", time.Hour)
	config, err := files.read()
	if err != nil {
		t.Fatal(err)
	}
	s := &seenHandshake{pool: authority.Pool(), own: config.Certificates[0]}
	config.CurvePreferences = []tls.CurveID{tls.CurveP384}
	config.Certificates = nil
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		s.note()
		return &s.own, nil
	}
	config.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
		s.note()
		return nil
	}
	answer := func(context.Context, any) (any, error) { return "now\r\n", nil }
	encode := func(_ context.Context, w io.Writer, v any) error {
		_, err := io.WriteString(w, v.(string))
		return err
	}
	s.Server = NewServer(answer, nil, encode,
		ServerTLS(func() (*tls.Config, error) { return config, nil }))
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil || !errors.Is(<-served, ErrServerClosed) {
			t.Errorf("want a clean shutdown, have %v", err)
		}
	})
	return s
}

func (s *seenHandshake) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns = append(s.turns, len(s.handshakes.computing))
}

// ask calls as a client of these curves, which sends a key share of the first.
func (s *seenHandshake) ask(t *testing.T, curves ...tls.CurveID) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	secured := tls.Client(conn, &tls.Config{RootCAs: s.pool, ServerName: "daytime.example.com",
		Certificates: []tls.Certificate{s.own}, CurvePreferences: curves})
	if have, err := io.ReadAll(secured); string(have) != "now\r\n" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
}

// Each costly part of a handshake has a turn: the answer to a first message, also to the second one
// of a client whose key share was of no use, and the chain that a client shows.
func TestHandshakesComputeInTurn(t *testing.T) {
	s := startSeen(t)
	s.ask(t, tls.CurveP384)
	s.ask(t, tls.X25519, tls.CurveP384)
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []int{1, 1, 1, 1}; !slices.Equal(s.turns, want) {
		t.Errorf("turns taken at each part: want %v, have %v", want, s.turns)
	}
	if have := len(s.handshakes.computing); have != 0 {
		t.Errorf("afterwards: want no turn taken, have %d", have)
	}
}

// talking is a connection whose client has a byte to say each 100 ms.
type talking struct{ noConn }

func (talking) Read([]byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return 1, nil
}

// A handshake that was answered waits for one first message at most, and does not give way to
// another while it waits for its turn; when it waits for its client again, the client's own time
// counts, bit by bit.
func TestAnsweredHandshakesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all handshakes
		all.init(0)
		all.max, all.computing = 4, make(chan struct{}, 1)
		begin := func() *handshake {
			h := &handshake{Conn: talking{}, all: &all, deadline: time.Now().Add(time.Hour)}
			if !h.begin() {
				t.Fatal("want room")
			}
			return h
		}
		answered := begin()
		answered.compute()
		answered.Write(nil)
		since := answered.since
		var order []string
		all.computing <- struct{}{} // somebody computes
		for _, name := range []string{"first", "second", "third"} {
			h := begin()
			go func() {
				h.compute()
				order = append(order, name)
				h.Write(nil)
			}()
			synctest.Wait()
		}
		go func() {
			answered.Read(nil)
			order = append(order, "answered")
			answered.Read(nil)
			answered.end()
		}()
		time.Sleep(500 * time.Millisecond)
		if (&handshake{Conn: noConn{}, all: &all}).begin() {
			t.Error("want no room: all wait for a turn")
		}
		<-all.computing
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"first", "answered", "second", "third"}; !slices.Equal(order, want) {
			t.Errorf("want the turns of %v, have %v", want, order)
		}
		if spent := answered.since.Sub(since); spent != 400*time.Millisecond {
			t.Errorf("want 100 of 500 ms counted as its client's, have %v as ours", spent)
		}
	})
}

// The servers of a process that are given one option compute in turn, as one of them does. Another
// option has turns of its own.
func TestServersOfOneOptionShareTheTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := ServerTLS(nil)
		compute := func(option ServerOption) (h *handshake, computes *bool) {
			server := NewServer(nil, nil, nil, option)
			h = &handshake{Conn: noConn{}, all: &server.handshakes, deadline: time.Now().Add(time.Hour)}
			if !h.begin() {
				t.Fatal("want room")
			}
			computes = new(bool)
			go func() {
				h.compute()
				*computes = true
			}()
			synctest.Wait()
			return h, computes
		}
		first, _ := compute(shared)
		for range cap(first.all.computing) - 1 {
			if _, computes := compute(shared); !*computes {
				t.Error("want all processors but one at work")
			}
		}
		_, waits := compute(shared)
		if _, computes := compute(ServerTLS(nil)); *waits || !*computes {
			t.Errorf("want only the one of another option compute, have the other %v, it %v", *waits, *computes)
		}
		first.end()
		if synctest.Wait(); !*waits {
			t.Error("want it to have the turn that is free")
		}
	})
}

// After the handshake its connection is one like any other: who has it may read and write side by
// side.
func TestReadBesideWriteAfterTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all handshakes
		all.init(0)
		h := &handshake{Conn: talking{}, all: &all}
		h.begin()
		h.end()
		go h.Write(nil)
		h.Read(nil)
		if len(all.computing) > 0 {
			t.Error("want no turn taken")
		}
	})
}
