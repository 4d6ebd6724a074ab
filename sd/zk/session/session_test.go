package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session/internal/wire"
)

// isProbing reports whether s has a second client. The caller has waited for all goroutines; the
// lock is there for what s does next, which begins with it.
func (s *Session) isProbing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probe != nil
}

// A probe starts when there was no session for a third of its timeout and a server refused the
// client meanwhile, or after three timeouts whatever the reason; it ends when the session is back.
func TestProbe(t *testing.T) {
	const timeout = 6 * time.Second
	inLab(t, one, func(l *lab) { // refused from the beginning
		l.config.Timeout = timeout
		b, before := l.connected()
		l.Refuse(true)
		l.Disconnect()
		start := time.Now()
		took := l.eventually(timeout, func() error { return want(b.isProbing(), "a probe") })
		if took < timeout/3 || took > timeout/3+time.Second {
			t.Errorf("probe after %v, want %v", took, timeout/3)
		}
		l.Refuse(false)
		after := l.conn(b, 3*time.Second)
		if after.Session != before.Session || b.Stats().Generation != 0 {
			t.Errorf("want the session 0x%x again, have 0x%x, %+v", before.Session, after.Session, b.Stats())
		}
		wait.Pass(2 * time.Second)
		if b.isProbing() {
			t.Errorf("probe %v after the outage began: want it dropped", time.Since(start))
		}
		l.eventually(2*timeout, func() error { // closed, or expired if it was granted as the probe was dropped
			return want(len(l.Sessions()) == 1, "an end of the probe's session")
		})
	})
	inLab(t, one, func(l *lab) { // never refused: no answer at all
		l.config.Timeout = timeout
		b, _ := l.connected()
		l.faulty(lost, "zookeeper")
		l.Disconnect()
		took := l.eventually(10*timeout, func() error { return want(b.isProbing(), "a probe") })
		if took < 3*timeout || took > 4*timeout {
			t.Errorf("probe after %v, want 18s to 24s", took)
		}
	})
	inLab(t, one, func(l *lab) { // refused, but not for long
		l.config.Timeout = timeout
		b, _ := l.connected()
		l.Refuse(true)
		l.Disconnect()
		for range int(timeout/3/(100*time.Millisecond)) - 1 {
			wait.Pass(100 * time.Millisecond)
			if b.isProbing() {
				t.Fatal("probe before a third of the session timeout")
			}
		}
	})
}

// A probe with a session is adopted only once its server has refused the other client after that,
// or when the other had a whole session timeout to come back.
func TestAdoption(t *testing.T) {
	const server = "zookeeper.example.com:2181"
	for name, c := range map[string]struct {
		refused time.Duration // relative to the session of the probe; 0 is never
		by      string
		waited  time.Duration // since then
		want    bool
	}{
		"never refused":        {0, server, time.Second, false},
		"refused before":       {-time.Second, server, time.Second, false},
		"refused after":        {time.Second, server, 2 * time.Second, true},
		"refused by another":   {time.Second, "other.example.com:2181", 2 * time.Second, false},
		"nothing for too long": {0, server, 11 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := offline(t)
				k.Close()                // its goroutine is the test from here on
				k.current = newHandle(k) // it gets nowhere
				k.probe = newHandle(k)
				old, probe := k.current, k.probe
				probed := &Conn{handle: probe, Session: 7, Server: server, since: time.Now(), requests: wire.NewRequests(), down: make(chan struct{})}
				probe.mu.Lock()
				probe.up = probed
				probe.mu.Unlock()
				if c.refused != 0 {
					old.mu.Lock()
					old.refused = probed.since.Add(c.refused)
					old.refusals[c.by] = old.refused
					old.mu.Unlock()
				}
				time.Sleep(c.waited)
				k.step()
				if have := k.current == probe; have != c.want {
					t.Errorf("adopted: want %t, have %t", c.want, have)
				}
				if l, _ := k.Conn(); c.want && (l != probed || k.Generation() != 1 || !k.Owned(7)) {
					t.Errorf("want the probe's Conn and generation 1, have %v and %d", l, k.Generation())
				}
				if c.want {
					<-old.ctx.Done()
				}
				k.dropProbe()
				if k.hurried != nil {
					t.Error("want nothing kept of a probe that has ended, have its Conn")
				}
				k.current.close()
			})
		})
	}
}

// A session that is lost and regained between two looks of the Session is two Conns to everybody
// else.
func TestConnReplacedWithinOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.Close()
		first, second := newConn(1), newConn(1)
		k.publish(first)
		_, changed := k.Conn()
		k.publish(second)
		select {
		case <-changed:
		default:
			t.Error("changed: want it closed")
		}
		if l, _ := k.Conn(); l != second {
			t.Errorf("Conn: want the second, have %v", l)
		}
	})
}

// Wait does not return a Conn that is known to be down, and gives up in time.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.Close()
		dead := newConn(1)
		close(dead.down)
		k.publish(dead)
		start := time.Now()
		if l, err := k.Wait(t.Context()); l != nil || err == nil || time.Since(start) != waitTimeout {
			t.Errorf("want an error after %v, have %v, %v after %v", waitTimeout, l, err, time.Since(start))
		}
		live := newConn(1)
		time.AfterFunc(waitTimeout/2, func() { k.publish(live) })
		if l, err := k.Wait(t.Context()); l != live || err != nil {
			t.Errorf("want the new Conn, have %v, %v", l, err)
		}
	})
}

// The sessions that were ours are remembered, up to a bound.
func TestOwned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.Close()
		for n := range 3 * maxOwned {
			for range 2 {
				k.publish(newConn(int64(n + 1)))
				k.publish(nil)
			}
		}
		if n := len(k.ownedIDs); n != maxOwned {
			t.Errorf("held: want %d, have %d", maxOwned, n)
		}
		if !k.Owned(3*maxOwned) || !k.Owned(2*maxOwned+1) || k.Owned(2*maxOwned) || k.Owned(0) {
			t.Errorf("held: want the newest, have %d", k.ownedIDs)
		}
	})
}

// A Conn without a server, for what only looks at its session.
func newConn(session int64) *Conn {
	return &Conn{Session: session, requests: wire.NewRequests(), down: make(chan struct{})}
}

// Before Start there is nothing, and Close ends it.
func TestNotStarted(t *testing.T) {
	s, err := New(Config{Hosts: one, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := s.Conn(); c != nil || !errors.Is(s.Err(), ErrNoSession) || s.Timeout() != 4*time.Second {
		t.Errorf("want no Conn, %v and 4s, have %v, %v, %v", ErrNoSession, c, s.Err(), s.Timeout())
	}
	for range 2 {
		if s.Close() {
			t.Error("Close: want nothing confirmed")
		}
	}
	s.Start(nil)
	<-s.Closed()
	if _, err := s.Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait: want %v, have %v", ErrClosed, err)
	}
}

// What cannot be right is refused without I/O.
func TestValidate(t *testing.T) {
	for part, c := range map[string]Config{
		"want one at least":        {},
		`host "a": want host:port`: {Hosts: []string{"a"}},
		"want a millisecond":       {Hosts: one, Timeout: time.Microsecond},
		"timeout -1s":              {Hosts: one, Timeout: -time.Second},
		"576h0m0s at most":         {Hosts: one, Timeout: 25 * 24 * time.Hour},
		"want both or none":        {Hosts: one, TLS: TLS{CA: "ca", Cert: "cert"}},
		"tls-cert: want tls-ca":    {Hosts: one, TLS: TLS{Cert: "cert", Key: "key"}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%+v: want %q, have %v", c, part, err)
		}
	}
	if err := (Config{Hosts: one, AuthFile: "/nowhere", TLS: TLS{CA: "/nowhere"}}).Check(); err == nil ||
		!strings.Contains(err.Error(), "auth-file") || !strings.Contains(err.Error(), "tls-ca") {
		t.Errorf("Check: want both files named, have %v", err)
	}
}

// From the end of a Conn to the next dial that is the reason, and not the handshake of long ago.
func TestErrAfterAConn(t *testing.T) {
	inLab(t, one, func(l *lab) {
		s, _ := l.connected()
		for range 3 { // until a dial has to wait
			l.conn(s, time.Second)
			l.Disconnect()
			synctest.Wait()
		}
		want := "no session: zookeeper.example.com:2181: connection lost"
		if err := s.Err(); err == nil || err.Error() != want {
			t.Errorf("want %s, have %v", want, err)
		}
	})
}

// At any moment Err says why there is no session, without waiting.
func TestErrSaysWhy(t *testing.T) {
	silent := func(ctx context.Context) (net.Conn, error) { return mute(), nil }
	for name, c := range map[string]struct {
		fault  func(context.Context) (net.Conn, error)
		lookup LookupFunc
		after  time.Duration
		want   string
	}{
		"no lookup yet":     {nil, (&names{delay: map[string]time.Duration{"ip4": time.Hour, "ip6": time.Hour}}).lookup, 10 * time.Millisecond, "looking up the servers"},
		"no such name":      {nil, (&names{}).lookup, 10 * time.Millisecond, "no such host"},
		"no address":        {nil, func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }, 10 * time.Millisecond, "zookeeper.example.com: no address"},
		"no connection yet": {lost, nil, 10 * time.Millisecond, "zookeeper.example.com:2181: no connection yet"},
		"no connection":     {lost, nil, 1100 * time.Millisecond, "zookeeper.example.com:2181: no connection within 1s"},
		"no answer yet":     {silent, nil, 10 * time.Millisecond, "zookeeper.example.com:2181: no answer to the handshake yet"},
		"no answer":         {silent, nil, 3 * time.Second, "zookeeper.example.com:2181: handshake: no answer in time"},
		"refused":           {func(context.Context) (net.Conn, error) { return nil, connectError(syscall.ECONNREFUSED) }, nil, 10 * time.Millisecond, "zookeeper.example.com:2181: connection refused"},
	} {
		inLab(t, one, func(l *lab) {
			l.config.Lookup = c.lookup
			if c.fault != nil {
				l.faulty(c.fault, "zookeeper")
			}
			s := l.start()
			wait.Pass(c.after)
			if err := s.Err(); !errors.Is(err, ErrNoSession) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: want %v and %q, have %v", name, ErrNoSession, c.want, err)
			}
			ctx, cancel := context.WithTimeout(l.t.Context(), time.Millisecond)
			defer cancel()
			_, err := s.Wait(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: Wait: want %v and %q, have %v", name, context.DeadlineExceeded, c.want, err)
			}
		})
	}
}
