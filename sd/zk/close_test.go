package zk

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
)

// An ensemble that is wiped over and over leaves one connection, one session
// and no goroutine.
func TestWipesLeaveNothing(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		for n := range 5 {
			for range 50 {
				l.SetData("/", nil)
			}
			on := l.session(b, time.Second)
			if _, _, err := on.Exists("/"); err != nil { // its reply tells how far ZooKeeper is; a ping's does not
				t.Fatal(err)
			}
			l.Wipe()
			l.eventually(10*time.Second, func() error { return atLeast("recreated", n+1, int(b.Stats().Recreated)) })
			l.pass(5 * time.Second)
			if open, _ := l.net.opened(); open != 1 || len(l.Sessions()) != 1 {
				t.Errorf("after wipe %d: want 1 connection and session, have %d and %d", n+1, open, len(l.Sessions()))
			}
		}
	})
}

// Whatever is under way, Close returns and leaves no connection.
func TestCloseAtAnyTime(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for after := time.Duration(0); after < 6*time.Second; after += 170 * time.Millisecond {
				inLab(t, three, func(l *lab) {
					b, _ := l.connected()
					c, _ := l.watch(b)
					l.faulty(fault, "a", "b", "c")
					l.Disconnect()
					time.Sleep(after)
					start := time.Now()
					b.Close()
					if took := time.Since(start); took > 3*time.Second {
						t.Errorf("after %v: Close took %v, want 3s at most", after, took)
					}
					synctest.Wait()
					if open, _ := l.net.opened(); open != 0 {
						t.Errorf("after %v: %d connections left", after, open)
					}
					<-c.done
				})
			}
		})
	}
}

// A write error while credentials are sent again after a reconnect blocks
// go-zookeeper's own way of sending them for ever.
func TestWriteErrorDuringReauthentication(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("user:password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inLab(t, home+"&auth-file="+file, func(l *lab) {
		b, before := l.connected()
		for n := range 5 {
			broken := 0
			l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := l.Dial(ctx, "tcp", address)
				if broken++; broken > 2 || err != nil {
					return conn, err
				}
				return &breaksOnSecondWrite{Conn: conn}, nil
			})
			l.Disconnect()
			l.pass(time.Millisecond)
			after := l.session(b, 5*time.Second)
			if after.session != before.session {
				t.Errorf("round %d: session: want 0x%x again, have 0x%x", n+1, before.session, after.session)
			}
			if exists, _, err := after.Exists(defaultPath); !exists || err != nil {
				t.Errorf("round %d: want an answer, have %t, %v", n+1, exists, err)
			}
		}
		if n := b.Stats().Dials; n != 1+5*3 {
			t.Errorf("dials: want 16, have %d", n)
		}
	})
}

// breaksOnSecondWrite writes a connect request, and not the credentials.
type breaksOnSecondWrite struct {
	net.Conn
	writes int
}

func (c *breaksOnSecondWrite) Write(b []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, errTest
	}
	return c.Conn.Write(b)
}

// 200 times open, register, watch, stop and close in one process: everything is
// as before.
func TestCyclesLeaveNothing(t *testing.T) {
	inLab(t, home, func(l *lab) {
		for n := range 200 {
			b, err := OpenBackend(l.target, Dial(l.net.DialContext))
			if err != nil {
				t.Fatal(err)
			}
			c, r := l.watch(b)
			a := l.announce(b, alice)
			l.shows(r, time.Second, alice)
			a.stop()
			l.shows(r, time.Second)
			if n%2 == 0 {
				c.stop()
			}
			b.Close()
			<-c.done
			open, _ := l.net.opened()
			if open != 0 || len(l.Sessions()) != 0 || len(b.announcer.all()) != 0 {
				t.Fatalf("cycle %d: want nothing left, have %d connections, %d sessions, %d entries", n+1, open, len(l.Sessions()), len(b.announcer.all()))
			}
			if names, err := l.Children(defaultPath); len(names) != 0 || err != nil {
				t.Fatalf("cycle %d: left behind: %q, %v", n+1, names, err)
			}
		}
	}) // the end of the bubble is a check for goroutines
}

// What is armed on the server ends with what it was for: the watches of a
// session do not grow with every reader that comes and goes.
func TestWatchesDoNotGrow(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		inLab(t, home+"&watch="+mode, func(l *lab) {
			b, _ := l.connected()
			watches := func() int { return l.Sessions()[0].Watches }
			for range 50 {
				c, r := l.watch(b)
				a := l.announce(b, alice)
				l.shows(r, time.Second, alice)
				a.stop()
				c.stop()
			}
			// the directory and one node, of which a persistent watch counts twice
			if n := watches(); n > 4 {
				t.Errorf("%s: watches: want 4 at most, have %d", mode, n)
			}
		})
	}
}

// Whatever a Watch is doing at that moment: it was closed.
func TestWatchSaysThatItWasClosed(t *testing.T) {
	for range 20 {
		inLab(t, home, func(l *lab) {
			b, _ := l.connected()
			c := l.call(func(ctx context.Context) error {
				return b.Watch(ctx, sd.Want{}, func(sd.Change) { l.pass(time.Second) })
			})
			l.pass(100 * time.Millisecond)
			b.Close()
			<-c.done
			if !errors.Is(c.err, sd.ErrClosed) {
				t.Errorf("want %v, have %v", sd.ErrClosed, c.err)
			}
		})
	}
}

// Where no server could be told, the node lives on for a while, and the
// withdrawal is not confirmed by Close.
func TestCloseWithoutAServerConfirmsNothing(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		a := l.announce(b, alice)
		l.Refuse(true)
		l.Disconnect()
		l.pass(100 * time.Millisecond)
		a.cancel()
		l.pass(100 * time.Millisecond)
		b.Close()
		<-a.done
		if l.owner(alice) == 0 || !errors.Is(a.err, sd.ErrUnconfirmed) || !errors.Is(a.err, context.Canceled) {
			t.Errorf("want the node there, %v and %v, have the owner 0x%x and %v", sd.ErrUnconfirmed, context.Canceled, l.owner(alice), a.err)
		}
	})
}

// A goodbye that was lost with the connection confirms nothing either.
func TestGoodbyeThatIsCutOff(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, link := l.connected()
		a := l.announce(b, alice)
		l.Freeze()
		a.cancel()
		l.pass(100 * time.Millisecond) // the withdrawal is under way
		closing := l.call(func(context.Context) error { return b.Close() })
		l.pass(100 * time.Millisecond)
		l.Disconnect(link.session)
		<-closing.done
		<-a.done
		l.Thaw()
		if l.owner(alice) == 0 || !errors.Is(a.err, sd.ErrUnconfirmed) {
			t.Errorf("want the node there and %v, have the owner 0x%x and %v", sd.ErrUnconfirmed, l.owner(alice), a.err)
		}
	})
}
