package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
)

func hung(context.Context) (net.Conn, error)     { return mute(), nil }
func refusing(context.Context) (net.Conn, error) { return nil, errTest }
func lost(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
func unresolved(context.Context) (net.Conn, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "a.example.com", IsNotFound: true}
}
func closedAtOnce(context.Context) (net.Conn, error) { c := mute(); c.Close(); return c, nil }

var hostFaults = map[string]func(ctx context.Context) (net.Conn, error){
	"hung": hung, "refusing": refusing, "lost": lost, "unresolved": unresolved, "closed at once": closedAtOnce,
}

// One bad host of three delays the start, and does not prevent it; whichever comes first.
func TestBadHostAtStart(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for range 5 { // to begin with another host each time
				inLab(t, three, func(l *lab) {
					l.faulty(fault, "a")
					l.conn(l.start(), 1500*time.Millisecond)
				})
			}
		})
	}
}

// One bad host of three as the target of a failover costs no session.
func TestBadHostAtFailover(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				inLab(t, three, func(l *lab) {
					b, before := l.connected()
					next := string("abc"[rand.IntN(3)]) // often the one that is left, or the next
					l.faulty(fault, next)
					l.Disconnect()
					wait.Pass(time.Millisecond)
					after := l.conn(b, 2*time.Second)
					if after.Session != before.Session {
						t.Errorf("session: want 0x%x again, have 0x%x", before.Session, after.Session)
					}
					if strings.HasPrefix(after.Server, next) {
						t.Errorf("server: want another than %s, have %s", next, after.Server)
					}
				})
			}
		})
	}
}

// All hosts bad: the error says why, and the end of it is noticed.
func TestAllHostsBad(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			inLab(t, three, func(l *lab) {
				l.faulty(fault, "a", "b", "c")
				b := l.start()
				wait.Pass(30 * time.Second)
				if err := b.noSession(); !strings.Contains(err.Error(), "no session: ") || strings.Contains(err.Error(), "no answer yet") {
					t.Errorf("error: want the cause, have %v", err)
				}
				if n := b.Stats().Dials; n > 64 {
					t.Errorf("dials in 30s: want 64 at most, have %d", n)
				}
				l.net.fail(nil)
				l.conn(b, 6*time.Second)
			})
		})
	}
}

// Names reach a dialer of one's own as they are configured, at every dial: what they resolve to may
// change.
func TestNamesAreLeftToTheDialer(t *testing.T) {
	inLab(t, three, func(l *lab) {
		b, _ := l.connected()
		for range 20 {
			l.Disconnect()
			wait.Pass(time.Second)
			l.conn(b, time.Second)
		}
		seen := map[string]bool{}
		for _, address := range l.net.dialled() {
			seen[address] = true
		}
		want := map[string]bool{"a.example.com:2181": true, "b.example.com:2181": true, "c.example.com:2181": true}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("dialled: want %v, have %v", want, seen)
		}
	})
}

// Every connection is closed by the time of the next dial, also after an expiry, where go-zookeeper
// leaves it open.
func TestConnectionsAreClosed(t *testing.T) {
	inLab(t, one, func(l *lab) {
		b, _ := l.connected()
		for n := range 20 {
			if n%2 == 0 {
				l.Expire()
			} else {
				l.Disconnect()
			}
			wait.Pass(time.Second)
			l.conn(b, 3*time.Second)
		}
		if now, most := l.net.opened(); now != 1 || most != 1 {
			t.Errorf("connections: want 1 at any time, have %d, and %d at most", now, most)
		}
		b.Close()
		if now, _ := l.net.opened(); now != 0 {
			t.Errorf("connections after Close: want none, have %d", now)
		}
	})
}

// What a Conn needs does not come in the way of an error from long ago.
func TestFailureIsForgotten(t *testing.T) {
	inLab(t, one, func(l *lab) {
		l.faulty(refusing, "zookeeper")
		b := l.start()
		wait.Pass(5 * time.Second)
		if err := b.noSession(); !errors.Is(err, errTest) {
			t.Errorf("before: want %v, have %v", errTest, err)
		}
		l.net.fail(nil)
		l.conn(b, 5*time.Second)
		l.faulty(hung, "zookeeper")
		l.Disconnect()
		wait.Pass(time.Second)
		if err := b.noSession(); errors.Is(err, errTest) {
			t.Errorf("after a session in between: have %v", err)
		}
	})
}

// Servers that grant a session and cut the connection are not hammered.
func TestDialsAfterCuts(t *testing.T) {
	inLab(t, three, func(l *lab) {
		b, _ := l.connected()
		for range 1000 {
			wait.Pass(10 * time.Millisecond)
			l.Disconnect()
		}
		if n := b.Stats().Dials; n > 4+20 {
			t.Errorf("dials in 10s: want 24 at most, have %d", n)
		}
		if n := l.Requests(zkdev.OpConnect); n < 10 {
			t.Errorf("handshakes in 10s: want 10 at least, have %d", n)
		}
	})
}

// One server of three refuses us, as one does that is not configured like the others. That does not
// slow us down while the others elect a leader.
func TestOneDenierBesideAnElection(t *testing.T) {
	denies := func(context.Context) (net.Conn, error) { return nil, fmt.Errorf("TLS handshake: %w", ErrDenied) }
	for range 5 { // to begin with another host each time
		inLab(t, three, func(l *lab) {
			l.config.Timeout = 10 * time.Second
			l.faulty(denies, "a")
			b := l.start()
			before := l.conn(b, 5*time.Second)
			var away atomic.Bool
			away.Store(true)
			l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
				switch {
				case strings.HasPrefix(address, "a."):
					return denies(ctx)
				case away.Load():
					return nil, errTest
				default:
					return nil, nil
				}
			})
			l.Disconnect()
			wait.Pass(6 * time.Second)
			away.Store(false)
			if after := l.conn(b, 3*time.Second); after.Session != before.Session {
				t.Errorf("session: want 0x%x again, have 0x%x", before.Session, after.Session)
			}
		})
	}
}

// Where nobody lets us in, dials become rare, also if one server is down altogether.
func TestDeniersBesideOneThatIsDown(t *testing.T) {
	denies := func(context.Context) (net.Conn, error) { return nil, fmt.Errorf("TLS handshake: %w", ErrDenied) }
	inLab(t, three, func(l *lab) {
		l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "c.") {
				return nil, errTest
			}
			return denies(ctx)
		})
		b := l.start()
		wait.Pass(time.Minute)
		before := b.Stats().Dials
		wait.Pass(5 * time.Minute)
		if n := b.Stats().Dials - before; n > 60 {
			t.Errorf("dials in 5 minutes: want 60 at most, have %d", n)
		}
	})
}
